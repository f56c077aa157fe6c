package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"testing"
)

// host is what a test is to the parts that start servers for tests, in a program: folders that go with it, things to do at the
// end, and failures, which end the program. Its methods are for the main goroutine, but for the log's.
type host struct {
	testing.TB // nil: what is not below is not for a program
	mu         sync.Mutex
	failed     bool
	ends       []func()
}

// failure is what Fatal panics with, and run turns into an error.
type failure struct{ error }

// run calls f, and then everything that is to be done at the end, last first; that is done too when the program is asked to
// end, or the servers that it started would outlive it.
func (h *host) run(f func()) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, func() { // not any more when stop ends the context
		h.close()
		os.Exit(1)
	})()
	defer h.close()
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			err = r.error
		default:
			panic(r)
		}
	}()
	f()
	return nil
}

func (h *host) close() {
	h.mu.Lock()
	ends := h.ends
	h.ends = nil
	h.mu.Unlock()
	for _, end := range slices.Backward(ends) {
		end()
	}
}

func (h *host) Cleanup(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ends = append(h.ends, f)
}

func (h *host) Helper()                  {}
func (h *host) Name() string             { return "bench" }
func (h *host) Context() context.Context { return context.Background() }

func (h *host) Failed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failed
}

func (h *host) Log(args ...any)                 { fmt.Fprintln(os.Stderr, args...) }
func (h *host) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func (h *host) Error(args ...any) {
	h.mu.Lock()
	h.failed = true
	h.mu.Unlock()
	h.Log(args...)
}

func (h *host) Errorf(format string, args ...any) { h.Error(fmt.Sprintf(format, args...)) }

func (h *host) Fatal(args ...any) {
	h.mu.Lock()
	h.failed = true
	h.mu.Unlock()
	panic(failure{errors.New(fmt.Sprint(args...))})
}

func (h *host) Fatalf(format string, args ...any) { h.Fatal(fmt.Sprintf(format, args...)) }

func (h *host) TempDir() string {
	dir, err := os.MkdirTemp("", "wasmpoint-bench-")
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// check ends the program on an error.
func (h *host) check(err error) {
	if err != nil {
		h.Fatal(err)
	}
}
