//go:build !linux

package netns

import "errors"

var errLinux = errors.New("network namespaces are Linux's: run this on Linux")

// Inside is never true here.
func Inside() bool { return false }

// Enter cannot be done here.
func Enter(...string) (int, error) { return 1, errLinux }

// Up cannot be done here.
func Up() error { return errLinux }

// AddLocal cannot be done here.
func AddLocal(string) error { return errLinux }

// DropLocal cannot be done here.
func DropLocal(string) error { return errLinux }
