package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wasmpoint/wasmpoint/conformance/node/sandbox"
)

const (
	// longestBackOff between two starts of a container, and how long one has to run for its crashes to be forgotten.
	longestBackOff = 5 * time.Minute
	steady         = 10 * time.Minute
	// lastWord is how long a process has after SIGTERM when a preStop hook has used up the grace period.
	lastWord = 2 * time.Second
	// retryEvery is the pause before something is tried again that the cluster does not have yet.
	retryEvery = 500 * time.Millisecond
)

// container is one container of a Pod, with whatever process runs for it now.
type container struct {
	pod  *pod
	spec *corev1.Container
	// status, and whether there will be no other process, are guarded by the Pod's lock.
	status corev1.ContainerStatus
	done   bool
}

// set changes the status.
func (c *container) set(f func(*corev1.ContainerStatus)) {
	c.pod.mu.Lock()
	f(&c.status)
	c.pod.mu.Unlock()
	c.pod.report()
}

func (c *container) waiting(reason, message string) {
	c.set(func(s *corev1.ContainerStatus) {
		s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	})
}

// run keeps the container running until the Pod is to end.
func (c *container) run(ctx context.Context) {
	image, found := c.pod.node.options.image(c.spec.Image)
	if !found {
		message := fmt.Sprintf("no binary stands for image %q; the stand-in has %s", c.spec.Image, c.pod.node.options.imageNames())
		c.pod.event(corev1.EventTypeWarning, "Failed", "Failed to pull image %q: %s", c.spec.Image, message)
		c.waiting("ErrImagePull", message)
		return
	}
	pause := time.Duration(0)
	for {
		process, ok := c.start(ctx, image)
		if !ok {
			return
		}
		begin := time.Now()
		if process != nil && c.serve(ctx, process) {
			return
		}
		if !c.again() {
			return
		}
		if time.Since(begin) > steady {
			pause = 0
		}
		if pause > 0 {
			message := fmt.Sprintf("back-off %s restarting failed container=%s", pause, c.spec.Name)
			c.pod.event(corev1.EventTypeWarning, "BackOff", "%s", message)
			c.waiting("CrashLoopBackOff", message)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(max(2*pause, c.pod.node.options.BackOff), longestBackOff)
	}
}

// again notes the end of a process, and tells whether there is to be another one.
func (c *container) again() bool {
	again := false
	c.set(func(s *corev1.ContainerStatus) {
		policy := c.pod.spec.RestartPolicy
		again = policy != corev1.RestartPolicyNever && (policy != corev1.RestartPolicyOnFailure || s.State.Terminated.ExitCode != 0)
		if again {
			s.LastTerminationState = s.State
			s.RestartCount++
		}
		c.done = !again
	})
	return again
}

// start starts a process; it waits for what its environment needs. A nil process is one that could not be started, which
// counts as a crash. Not ok: the Pod is to end.
func (c *container) start(ctx context.Context, image Image) (process *sandbox.Process, ok bool) {
	var spec sandbox.Spec
	for {
		var err error
		if spec, err = c.process(ctx, image); err == nil {
			break
		}
		c.pod.event(corev1.EventTypeWarning, "Failed", "Error: %v", err)
		c.waiting("CreateContainerConfigError", err.Error())
		select {
		case <-ctx.Done():
			return nil, false
		case <-time.After(retryEvery):
		}
	}
	process, err := c.startProcess(spec)
	if err != nil {
		c.pod.event(corev1.EventTypeWarning, "Failed", "Error: failed to start container %s: %v", c.spec.Name, err)
		c.set(func(s *corev1.ContainerStatus) {
			now := metav1.Now()
			s.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				ExitCode: 128, Reason: "StartError", Message: err.Error(), StartedAt: now, FinishedAt: now,
			}}
		})
		return nil, ctx.Err() == nil
	}
	return process, true
}

func (c *container) startProcess(spec sandbox.Spec) (*sandbox.Process, error) {
	if err := os.MkdirAll(spec.Root, 0o755); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(c.pod.node.logOf(c.pod.key, c.spec.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	spec.Output = log
	return c.pod.box.Start(spec)
}

// serve goes with a process to its end. It tells whether that was the end of the Pod.
func (c *container) serve(ctx context.Context, process *sandbox.Process) (last bool) {
	if h := c.spec.Lifecycle; h != nil && h.PostStart != nil {
		if err := c.hook(ctx, h.PostStart, process); err != nil {
			c.pod.event(corev1.EventTypeWarning, "FailedPostStartHook", "PostStartHook of %s failed: %v", c.spec.Name, err)
			c.terminate(process, c.pod.grace())
		}
	}
	begin := metav1.Now()
	c.set(func(s *corev1.ContainerStatus) {
		s.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: begin}}
		s.ContainerID = fmt.Sprintf("process://%d-%d", process.PID(), begin.UnixNano())
		no := false
		s.Started, s.Ready = &no, false
	})
	probing, stop := context.WithCancel(ctx)
	unhealthy := make(chan string, 2)
	go c.probe(probing, process, unhealthy)
	select {
	case <-process.Exited():
	case why := <-unhealthy:
		c.pod.event(corev1.EventTypeNormal, "Killing", "%s", why)
		c.terminate(process, c.pod.grace())
	case <-ctx.Done():
		last = true
		c.terminate(process, c.pod.grace())
	}
	stop()
	code, signal := process.Result()
	reason := "Completed"
	if code != 0 {
		reason = "Error"
	}
	c.set(func(s *corev1.ContainerStatus) {
		s.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: int32(code), Signal: int32(signal), Reason: reason, StartedAt: begin, FinishedAt: metav1.Now(), ContainerID: s.ContainerID,
		}}
		no := false
		s.Started, s.Ready = &no, false
		c.done = last
	})
	return last
}

// terminate runs the preStop hook, asks the process to end, and kills it at the end of the grace period. A Pod that is gone,
// or whose node is, has none.
func (c *container) terminate(process *sandbox.Process, grace time.Duration) {
	ctx, cancel := context.WithTimeout(c.pod.hard, grace)
	defer cancel()
	if h := c.spec.Lifecycle; h != nil && h.PreStop != nil && grace > 0 {
		hooked, stop := context.WithCancel(ctx)
		go func() {
			select {
			case <-process.Exited(): // there is nothing to wait for
				stop()
			case <-hooked.Done():
			}
		}()
		if err := c.hook(hooked, h.PreStop, process); err != nil && !errors.Is(err, context.Canceled) {
			c.pod.event(corev1.EventTypeWarning, "FailedPreStopHook", "PreStopHook of %s failed: %v", c.spec.Name, err)
		}
		stop()
	}
	process.Signal(syscall.SIGTERM)
	var late <-chan time.Time
	if ctx.Err() != nil {
		late = time.After(lastWord)
	}
	for waiting := true; waiting; {
		select {
		case <-process.Exited():
			return
		case <-c.pod.hard.Done():
			waiting = false
		case <-late:
			waiting = false
		case <-ctx.Done():
			waiting = late != nil
		}
	}
	process.Signal(syscall.SIGKILL)
	<-process.Exited()
}
