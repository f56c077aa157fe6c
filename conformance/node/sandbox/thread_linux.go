package sandbox

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// onThread runs f on an OS thread that ends with it, so that f may change the thread's namespaces. Go starts no other
// thread from such a one.
func onThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return // still locked, which ends the thread
		}
		// The first thread cannot end, and /proc/self speaks of it. It is held until f has another one.
		started := make(chan struct{})
		onThread(func() {
			close(started)
			f()
		})
		<-started
		runtime.UnlockOSThread()
	}()
}

// inNetwork runs f on a thread inside a network namespace.
func inNetwork(network *os.File, f func() error) error {
	result := make(chan error, 1)
	onThread(func() {
		if err := unix.Setns(int(network.Fd()), unix.CLONE_NEWNET); err != nil {
			result <- fmt.Errorf("entering the Pod's network namespace: %w", err)
			return
		}
		result <- f()
	})
	return <-result
}

// namespaceOfThread opens a namespace ("net", "mnt") of the current thread. By /proc/thread-self and not by number: a
// /proc that was mounted outside our process namespace counts differently.
func namespaceOfThread(kind string) (*os.File, error) {
	return os.Open("/proc/thread-self/ns/" + kind)
}
