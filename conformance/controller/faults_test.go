//go:build faults

package controller

import (
	"strings"
	"testing"
	"time"

	testcluster "github.com/wasmpoint/wasmpoint/conformance/cluster"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/cluster"
)

// replicas names the replicas that a test will start, if they are more than one.
func (w *world) replicas(names ...string) *world {
	w.peers = map[string]string{}
	for _, n := range names {
		w.peers[n] = testbed.Address(testbed.FreePort(w.t))
	}
	return w
}

// in is the same world for a part of a test.
func (w *world) in(t *testing.T) *world {
	c := *w
	c.t = t
	return &c
}

// in is the same replica for a part of a test.
func (r *replica) in(t *testing.T) *replica {
	return &replica{w: r.w.in(t), config: r.config, stop: r.stop, ended: r.ended}
}

// waitReady is ready after a fault, from which clients recover with a back-off.
func (r *replica) waitReady(limit time.Duration) {
	r.w.t.Helper()
	r.w.wait(limit, "replica "+r.config.Replica+" is ready again", r.isReady)
}

// through has a replica reach the API server by a link.
func through(l *testcluster.Link) func(*cluster.Config) {
	return func(c *cluster.Config) { c.Kubeconfig = l.KubeconfigFor(namespace, "wasmpoint") }
}

// logged waits for a line in the log of the controllers.
func (w *world) logged(text string) {
	w.t.Helper()
	w.loggedSince(0, text)
}

// loggedSince waits for a line that comes after a length of the log.
func (w *world) loggedSince(length int, text string) {
	w.t.Helper()
	w.wait(time.Minute, "the log says "+text, func() (bool, string) { return strings.Contains(w.log.String()[length:], text), "" })
}

// wait is eventually with another limit.
func (w *world) wait(limit time.Duration, what string, condition func() (bool, string)) {
	w.t.Helper()
	testbed.Eventually(w.t, limit, what, condition)
}
