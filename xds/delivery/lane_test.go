package delivery

import (
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestTheFirstRefusalMeansThatTheProxyFetches(t *testing.T) {
	j := NewJob(variant("a1"), false)
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
	j := NewJob(variant("a1"), false)
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
	j := NewJob(variant("a1"), false)
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
	j := NewJob(variant("a1"), false)
	j.Pushed()
	j.Refused(start)
	j.Served(false, start)
	if wait := j.RetryAt.Sub(start); wait < 10*time.Second {
		t.Errorf("next push after %v: within 10 s Envoy answers from its negative cache", wait)
	}
}

func TestARefusalOfAModuleThatTheProxyHadIsAboutThePlugin(t *testing.T) {
	j := NewJob(variant("a1"), true)
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
	j := NewJob(variant("a1"), false)
	j.Pushed()
	j.Served(true, start) // a small module is served before the refusal that began the fetch is here
	if got := j.Refused(start); got != Fetching {
		t.Fatalf("outcome %v, want Fetching", got)
	}
	if wait := j.RetryAt.Sub(start); wait != settleAfterFetch {
		t.Errorf("next push after %v, want %v", wait, settleAfterFetch)
	}
}
