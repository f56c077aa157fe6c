// Package attach holds the rules: which plugins run where, in which order, and what became of every target.
//
// All of it is pure. Rules answers from a View alone; Tracker keeps the answers for a Store and recomputes, after a
// change, only what that change can affect. Both give the same answers for the same objects, whatever came first: tests
// hold this as a law. The slot list (Places, Resolve) and the verdicts come out of the same checks, in checks.go, so
// that what status says is what proxies get.
//
// The rules are Istio's, with the differences listed in apis/README.md.
package attach
