package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// fromHost are the folders that a distribution's image would bring. They are read-only.
var fromHost = []string{
	"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib32", "/usr/lib64",
	"/usr/share/ca-certificates", "/etc/ssl", "/sys",
}

// build puts the root filesystem together. It runs on a thread that has a mount namespace of its own.
func (s *Spec) build() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mounts of this machine: %w", err)
	}
	if err := unix.Mount("root", s.Root, "tmpfs", unix.MS_NOSUID, "mode=755"); err != nil {
		return fmt.Errorf("root filesystem %s: %w", s.Root, err)
	}
	for _, path := range fromHost {
		if err := s.copyFromHost(path); err != nil {
			return err
		}
	}
	for _, path := range []string{"/proc", "/dev"} {
		if err := s.bind(Mount{From: path, At: path}); err != nil {
			return err
		}
	}
	// Envoys of different Pods would meet in a common one.
	if err := unix.Mount("shm", filepath.Join(s.Root, "dev/shm"), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"); err != nil {
		return fmt.Errorf("/dev/shm: %w", err)
	}
	for _, dir := range []string{"/tmp", "/run", "/var/tmp"} {
		path := filepath.Join(s.Root, dir)
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(path, fs.ModeSticky|0o777); err != nil {
			return err
		}
	}
	for path, content := range s.Files {
		if err := s.write(path, content); err != nil {
			return err
		}
	}
	// A longer path can only lie in a shorter one.
	mounts := slices.Clone(s.Mounts)
	slices.SortStableFunc(mounts, func(a, b Mount) int { return len(filepath.Clean(a.At)) - len(filepath.Clean(b.At)) })
	for _, m := range mounts {
		if err := s.bind(m); err != nil {
			return err
		}
	}
	if s.ReadOnlyRoot {
		return readOnly(s.Root, 0)
	}
	return nil
}

func (s *Spec) copyFromHost(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // distributions differ
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink == 0 {
		return s.bind(Mount{From: path, At: path, ReadOnly: true})
	}
	to, err := os.Readlink(path)
	if err != nil {
		return err
	}
	return os.Symlink(to, filepath.Join(s.Root, path))
}

func (s *Spec) write(path string, content []byte) error {
	path = filepath.Join(s.Root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

// bind makes the place where a mount goes, and mounts it.
func (s *Spec) bind(m Mount) error {
	info, err := os.Stat(m.From)
	if err != nil {
		return fmt.Errorf("mount at %s: %w", m.At, err)
	}
	at := filepath.Join(s.Root, m.At)
	if info.IsDir() {
		err = os.MkdirAll(at, 0o755)
	} else if _, missing := os.Stat(at); missing != nil {
		err = s.write(m.At, nil)
	}
	if err == nil {
		err = unix.Mount(m.From, at, "", unix.MS_BIND|unix.MS_REC, "")
	}
	if err == nil && m.ReadOnly {
		err = readOnly(at, unix.AT_RECURSIVE)
	}
	if err != nil {
		return fmt.Errorf("mount of %s at %s: %w", m.From, m.At, err)
	}
	return nil
}

// readOnly adds to the flags of a mount; a remount would have to repeat all that may not be changed.
func readOnly(path string, flags uint) error {
	return unix.MountSetattr(unix.AT_FDCWD, path, flags, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
}

// program finds the program of the command in the new root filesystem.
func (s *Spec) program() (string, error) {
	name := s.Command[0]
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, variable := range s.Env {
		path, found := strings.CutPrefix(variable, "PATH=")
		if !found {
			continue
		}
		for _, dir := range filepath.SplitList(path) {
			info, err := os.Stat(filepath.Join(s.Root, dir, name))
			if err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
				return filepath.Join(dir, name), nil
			}
		}
	}
	return "", fmt.Errorf("command %q: no such program in the PATH of the container", name)
}

// severalIDs tells whether this program may take on ids other than its own.
func severalIDs() bool {
	lines, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false
	}
	fields := bytes.Fields(lines)
	return len(fields) != 3 || string(fields[2]) != "1"
}
