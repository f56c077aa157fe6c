package delivery

import (
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestTheFirstRefusalMeansThatTheProxyFetches(t *testing.T) {
	j := NewJob(variant("a1"), CodeUnknown)
	j.Pushed()
	if got := j.Refused(start); got != Fetching {
		t.Fatalf("outcome %v, want Fetching", got)
	}
	j.Served(true, start.Add(40*time.Millisecond))
	if want := start.Add(40*time.Millisecond + settleAfterFetch); !j.RetryAt.Equal(want) {
		t.Errorf("next push at %v, want shortly after the fetch, %v", j.RetryAt, want)
	}
}

func TestCodeThatWasFetchedAndRefusedTwiceIsRefusedForGood(t *testing.T) {
	j := NewJob(variant("a1"), CodeUnknown)
	j.Pushed()
	j.Refused(start)
	j.Served(true, start)
	j.Pushed()
	if got := j.Refused(start); got != Doubtful {
		t.Fatalf("first refusal after the fetch: %v, want Doubtful: it may have crossed the fetch", got)
	}
	j.Pushed()
	if got := j.Refused(start); got != Final {
		t.Fatalf("second refusal after the fetch: %v, want Final", got)
	}
}

func TestAProxyThatNeverFetchesIsTriedForEverAndNeverBlamesThePlugin(t *testing.T) {
	j := NewJob(variant("a1"), CodeUnknown)
	now := start
	for i := range 50 {
		j.Pushed()
		want := Unfetched
		if i == 0 {
			want = Fetching
		}
		if got := j.Refused(now); got != want {
			t.Fatalf("refusal %d: %v, want %v", i, got, want)
		}
		if wait := j.RetryAt.Sub(now); wait <= 0 || wait > maxRetry {
			t.Fatalf("refusal %d: waits %v, want at most %v", i, wait, maxRetry)
		}
		now = j.RetryAt
	}
}

func TestAFailedFetchIsTriedAgainAfterEnvoysNegativeCache(t *testing.T) {
	j := NewJob(variant("a1"), CodeUnknown)
	j.Pushed()
	j.Refused(start)
	j.Served(false, start)
	if wait := j.RetryAt.Sub(start); wait < 10*time.Second {
		t.Errorf("next push after %v: within 10 s Envoy answers from its negative cache", wait)
	}
}

func TestARefusalOfAModuleThatTheProxyHadIsAboutThePlugin(t *testing.T) {
	j := NewJob(variant("a1"), CodeThere)
	j.Pushed()
	if got := j.Refused(start); got != Doubtful {
		t.Fatalf("outcome %v, want Doubtful", got)
	}
	j.Pushed()
	if got := j.Refused(start); got != Final {
		t.Fatalf("outcome %v, want Final", got)
	}
}

func TestARefusalThatArrivesAfterItsFetchIsNotHeldAgainstThePlugin(t *testing.T) {
	j := NewJob(variant("a1"), CodeUnknown)
	j.Pushed()
	j.Served(true, start) // a small module is served before the refusal that began the fetch is here
	if got := j.Refused(start); got != Fetching {
		t.Fatalf("outcome %v, want Fetching", got)
	}
	if wait := j.RetryAt.Sub(start); wait != settleAfterFetch {
		t.Errorf("next push after %v, want %v", wait, settleAfterFetch)
	}
}

func TestOldCodeGetsTheTimeOfAFetchThatNobodySaw(t *testing.T) {
	j := NewJob(variant("a1"), CodeOld)
	j.Pushed()
	if got := j.Refused(start); got != Doubtful {
		t.Fatalf("outcome %v, want Doubtful", got)
	}
	if wait := j.RetryAt.Sub(start); wait != secondStrikeOld {
		t.Errorf("next push after %v, want %v", wait, secondStrikeOld)
	}
	j.Pushed()
	if got := j.Refused(start); got != Final {
		t.Fatalf("outcome %v, want Final", got)
	}
}

func TestARefusalOfOldCodeThatTheProxyThenFetchesIsNotHeldAgainstThePlugin(t *testing.T) {
	j := NewJob(variant("a1"), CodeOld)
	j.Pushed()
	j.Refused(start)
	j.Served(true, start.Add(time.Second))
	if want := start.Add(time.Second + settleAfterFetch); !j.RetryAt.Equal(want) {
		t.Errorf("next push at %v, want shortly after the fetch, %v", j.RetryAt, want)
	}
	j.Pushed()
	if got := j.Refused(start); got != Doubtful {
		t.Fatalf("first refusal after the fetch: %v, want Doubtful", got)
	}
}
