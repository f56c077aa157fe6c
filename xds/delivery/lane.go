package delivery

import (
	"time"

	"github.com/wasmpoint/wasmpoint/xds/build"
)

// Waiting times of a lane. They are bounds on a proxy that does not fetch, not delays on the usual way: that one is
// driven by the module server's word that the proxy has the bytes.
const (
	// settleAfterFetch lets Envoy take the last bytes into its cache before the lane is pushed again.
	settleAfterFetch = 15 * time.Millisecond
	// secondStrike separates two refusals of fetched code: one alone may have crossed the fetch.
	secondStrike = 200 * time.Millisecond
	// secondStrikeOld does so if the code was there long ago: the first refusal may have started a fetch whose end we have not
	// seen, so it is longer than any fetch.
	secondStrikeOld = build.FetchTimeout + 5*time.Second
	// firstRetry and maxRetry bound the pushes while no fetch was seen. Envoy keeps a failed fetch in a negative cache
	// for about 10 s.
	firstRetry = 500 * time.Millisecond
	maxRetry   = 10500 * time.Millisecond
	// strikesToRefuse is how often a proxy has to refuse code that it fetched.
	strikesToRefuse = 2
)

// Job is one variant's way through the prefetch lane, as a state machine: push, refusal (which starts Envoy's own fetch),
// fetch served, push again with another byte, acknowledged.
type Job struct {
	Variant *build.Variant
	// RetryAt is when to push (again); zero means at once.
	RetryAt time.Time

	code Code
	// served tells that the proxy has the bytes, servedBefore that it had them at the last push already.
	served, servedBefore bool
	strikes              int
	unserved             int
}

// Code is what is known of a variant's module in the proxy when the variant's way through the lane begins.
type Code int

// What may be known.
const (
	// CodeUnknown: the first refusal is the ordinary one, which starts the fetch.
	CodeUnknown Code = iota
	// CodeOld: the proxy ran it, but may have dropped it since.
	CodeOld
	// CodeThere: the proxy has it, so a refusal is about the variant.
	CodeThere
)

// NewJob starts a job; its first push is due at once.
func NewJob(v *build.Variant, code Code) *Job {
	if v.Digest == "" {
		code = CodeThere // Lua has none
	}
	return &Job{Variant: v, code: code}
}

// Pushed notes a push. Only its answer tells about the code that the proxy had by then: the first refusal often arrives
// after the fetch that it caused.
func (j *Job) Pushed() { j.servedBefore = j.served }

// Unbuilt notes that there was nothing to push, which is tried again later.
func (j *Job) Unbuilt(now time.Time) { j.RetryAt = now.Add(maxRetry) }

// Outcome is what a refusal meant.
type Outcome int

// The outcomes of Refused.
const (
	// Fetching: the ordinary first refusal, the proxy fetches the code now.
	Fetching Outcome = iota
	// Unfetched: the proxy refused again and was not seen to fetch; it will be tried again for ever.
	Unfetched
	// Doubtful: the proxy has the code and refused once; tried once more.
	Doubtful
	// Final: the proxy has the code and refuses the variant.
	Final
)

// Refused handles a NACK of the last push.
func (j *Job) Refused(now time.Time) Outcome {
	if j.served && !j.servedBefore {
		j.RetryAt = now.Add(settleAfterFetch)
		return Fetching
	}
	if j.served || j.code != CodeUnknown {
		j.strikes++
		if j.strikes >= strikesToRefuse {
			return Final
		}
		j.RetryAt = now.Add(secondStrike)
		if !j.served && j.code == CodeOld {
			j.RetryAt = now.Add(secondStrikeOld)
		}
		return Doubtful
	}
	wait := firstRetry << min(j.unserved, 5)
	j.RetryAt = now.Add(min(wait, maxRetry))
	j.unserved++
	if j.unserved == 1 {
		return Fetching
	}
	return Unfetched
}

// Served handles the module server's word that the proxy got the module, whole or not.
func (j *Job) Served(complete bool, now time.Time) {
	if !complete {
		if !j.served {
			j.RetryAt = now.Add(maxRetry)
		}
		return
	}
	if !j.served {
		j.strikes = 0 // the proxy fetched: it did not have the code when it refused
	}
	j.served = true
	if !j.RetryAt.IsZero() {
		j.RetryAt = now.Add(settleAfterFetch)
	}
}
