package node

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/wasmpoint/wasmpoint/conformance/node/sandbox"
)

// probe runs a container's probes until the context ends. Readiness goes into its status; the message of a failed startup
// or liveness probe ends up in unhealthy.
func (c *container) probe(ctx context.Context, process *sandbox.Process, unhealthy chan<- string) {
	fail := func(kind string) func(bool, string) bool {
		return func(ok bool, why string) bool {
			if !ok {
				unhealthy <- "Container " + c.spec.Name + " failed " + kind + " probe, will be restarted: " + why
			}
			return !ok
		}
	}
	if p := c.spec.StartupProbe; p != nil {
		started := false
		until := func(ok bool, why string) bool {
			started = ok
			return ok || fail("startup")(ok, why)
		}
		if c.watch(ctx, "Startup", p, process, until); !started {
			return
		}
	}
	c.set(func(s *corev1.ContainerStatus) {
		yes := true
		s.Started, s.Ready = &yes, c.spec.ReadinessProbe == nil
	})
	if p := c.spec.LivenessProbe; p != nil {
		go c.watch(ctx, "Liveness", p, process, fail("liveness"))
	}
	if p := c.spec.ReadinessProbe; p != nil {
		c.watch(ctx, "Readiness", p, process, func(ok bool, _ string) bool {
			c.set(func(s *corev1.ContainerStatus) { s.Ready = ok && s.State.Running != nil })
			return false
		})
	}
}

// watch runs one probe at its period and tells the verdict each time that as many results as it takes say the same. It ends
// when the verdict's receiver has enough, or the context ends.
func (c *container) watch(ctx context.Context, kind string, p *corev1.Probe, process *sandbox.Process, verdict func(ok bool, why string) bool) {
	seconds := func(n, least int32) time.Duration { return time.Duration(max(n, least)) * time.Second }
	timer := time.NewTimer(seconds(p.InitialDelaySeconds, 0))
	defer timer.Stop()
	row, last := int32(0), false
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		once, cancel := context.WithTimeout(ctx, seconds(p.TimeoutSeconds, 1))
		err := c.check(once, p.ProbeHandler, process)
		cancel()
		if ctx.Err() != nil {
			return
		}
		ok, why, enough := err == nil, "", max(p.SuccessThreshold, 1)
		if !ok {
			why, enough = err.Error(), max(p.FailureThreshold, 1)
			c.pod.event(corev1.EventTypeWarning, "Unhealthy", "%s probe of %s failed: %s", kind, c.spec.Name, why)
		}
		if ok != last {
			row, last = 0, ok
		}
		if row++; row == enough && verdict(ok, why) {
			return
		}
		timer.Reset(seconds(p.PeriodSeconds, 1))
	}
}
