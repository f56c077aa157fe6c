package proxies

import (
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// State is what a proxy process just did.
type State string

// The states.
const (
	// Started means that the process runs; whether Envoy accepted its configuration shows on xDS.
	Started State = "started"
	// Exited means that the process ended without being asked to.
	Exited State = "exited"
	// Restarting means that the next start comes after Event.Delay.
	Restarting State = "restarting"
	// Failed means that the process could not be started at all; Restarting follows.
	Failed State = "failed"
	// Stopped means that the process was stopped on request (Remove, Close, or a new bootstrap).
	Stopped State = "stopped"
)

// Event is one change of state of one proxy process.
type Event struct {
	// ID is the id given to Ensure.
	ID    string
	State State
	// PID is the process concerned; 0 with Failed and Restarting.
	PID int
	// Code is the exit code, with Exited and Stopped; -1 when a signal ended the process.
	Code int
	// Signal names the signal that ended the process, or is empty.
	Signal string
	// Delay is the time until the next start, with Restarting.
	Delay time.Duration
	// Err is why the start failed, with Failed.
	Err error
	// Log is what the process wrote last before it exited and what is mostly the reason, with Exited.
	Log string
}

// String is one readable line without the id.
func (e Event) String() string {
	switch e.State {
	case Started:
		return fmt.Sprintf("envoy started, pid %d", e.PID)
	case Failed:
		return fmt.Sprintf("envoy could not be started: %v", e.Err)
	case Restarting:
		return fmt.Sprintf("envoy starts again in %s", e.Delay)
	}
	how := fmt.Sprintf("with code %d", e.Code)
	if e.Signal != "" {
		how = "by signal: " + e.Signal
	}
	s := fmt.Sprintf("envoy %s %s, pid %d", e.State, how, e.PID)
	if e.Log != "" {
		s += ": " + e.Log
	}
	return s
}

// exitEvent says how a process ended.
func exitEvent(id string, state State, cmd *exec.Cmd) Event {
	e := Event{ID: id, State: state, PID: cmd.Process.Pid}
	if cmd.ProcessState == nil {
		return e
	}
	e.Code = cmd.ProcessState.ExitCode()
	if w, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		e.Signal = w.Signal().String()
	}
	return e
}
