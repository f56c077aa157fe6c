package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestWhatCannotBeReadStaysInForceAndIsReported(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		// at is the path below the folder that the error names.
		at string
		// fail makes the disk fail for one path.
		fail func(d *disk, path string)
	}{
		{"a folder without permission", "sub", func(d *disk, path string) {
			real := d.readDir
			d.readDir = func(p string) ([]os.DirEntry, error) {
				if p == path {
					return nil, &fs.PathError{Op: "open", Path: p, Err: syscall.EACCES}
				}
				return real(p)
			}
		}},
		{"a folder when there are too many open files", "sub", func(d *disk, path string) {
			real := d.readDir
			d.readDir = func(p string) ([]os.DirEntry, error) {
				if p == path {
					return nil, &fs.PathError{Op: "open", Path: p, Err: syscall.EMFILE}
				}
				return real(p)
			}
		}},
		{"a folder that gives no information about itself", "sub", func(d *disk, path string) { failStat(d, path) }},
		{"a file that gives no information about itself", "sub/a.yaml", func(d *disk, path string) { failStat(d, path) }},
		{"a link that leads to an unreadable place", "link", func(d *disk, path string) { failStat(d, path) }},
		{"a link that cannot be followed", "link", func(d *disk, path string) {
			real := d.follow
			d.follow = func(p string) (string, error) {
				if p == path {
					return "", &fs.PathError{Op: "lstat", Path: p, Err: syscall.EIO}
				}
				return real(p)
			}
		}},
		{"the root", "", func(d *disk, path string) { failStat(d, path) }},
		{"a file's content", "sub/a.yaml", func(d *disk, path string) {
			real := d.read
			d.read = func(p string) ([]byte, error) {
				if p == path {
					return nil, &fs.PathError{Op: "read", Path: p, Err: syscall.EIO}
				}
				return real(p)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := world(t, map[string]string{"m/sub/a.yaml": plugin("a", "oci://x/1"), "other/b.yaml": plugin("b", "oci://x/1")})
			root := filepath.Join(dir, "m")
			if err := os.Symlink(filepath.Join(dir, "other"), filepath.Join(root, "link")); err != nil {
				t.Fatal(err)
			}
			s := newSet([]string{root}, nil)
			s.refresh(begin, nil)
			path, now := filepath.Join(root, c.at), begin
			c.fail(&s.disk, path)
			for range 3 {
				now = now.Add(time.Second)
				_, again := s.refresh(now, nil)
				r := s.result()
				if !has("default/a", "default/b")(r) || !again.Equal(now.Add(retry)) {
					t.Errorf("plugins %v, again %v; want both, and a try after %v", names(r), again, retry)
				}
				if len(r.Errors) != 1 || r.Errors[0].File != path || !strings.Contains(r.Errors[0].Problem, "check its permissions") {
					t.Errorf("errors %v, want one at %s", r.Errors, path)
				}
			}
			s.disk = realDisk()
			s.refresh(now.Add(time.Second), func(string) bool { return false })
			noErrors(t, s.result())
		})
	}
}

func failStat(d *disk, path string) {
	real := d.stat
	d.stat = func(p string) (os.FileInfo, error) {
		if p == path {
			return nil, &fs.PathError{Op: "stat", Path: p, Err: syscall.EACCES}
		}
		return real(p)
	}
}

func TestAReadableFolderStillGivesUpWhatWasDeletedInIt(t *testing.T) {
	t.Parallel()
	dir := world(t, map[string]string{"sub/a.yaml": plugin("a", "oci://x/1")})
	s := newSet([]string{dir}, nil)
	s.refresh(begin, nil)
	if err := errors.Join(os.RemoveAll(filepath.Join(dir, "sub")), os.Symlink("nowhere", filepath.Join(dir, "dangling.yaml"))); err != nil {
		t.Fatal(err)
	}
	s.refresh(begin.Add(time.Second), nil)
	s.refresh(begin.Add(2*time.Second), nil)
	if r := s.result(); len(r.Plugins) != 0 {
		t.Errorf("plugins %v", names(r))
	}
	noErrors(t, s.result())
}

func TestAnObjectThatVanishesFromAFileStaysUntilTheFileIsQuiet(t *testing.T) {
	t.Parallel()
	dir := world(t, map[string]string{})
	path := filepath.Join(dir, "a.yaml")
	write(t, path, plugin("a", "oci://x/1")+"---\n"+plugin("b", "oci://x/1"))
	s := newSet([]string{dir}, nil)
	s.refresh(begin, nil)
	first := s.result()
	step := func(after time.Duration, want ...string) Result {
		t.Helper()
		_, again := s.refresh(begin.Add(after), nil)
		r := s.result()
		if !has(want...)(r) {
			t.Fatalf("after %v: plugins %v, want %v (again %v)", after, names(r), want, again)
		}
		return r
	}
	write(t, path, plugin("a", "oci://x/2")+"---\n")
	if r := step(time.Second, "default/a", "default/b"); url(r, 0) != "oci://x/2" || r.Plugins[1] != first.Plugins[1] {
		t.Error("what changed acts at once, and what vanished keeps its pointer")
	}
	write(t, path, plugin("a", "oci://x/3")+"---\n")
	step(time.Second+patience-1, "default/a", "default/b")
	step(time.Second+patience+1, "default/a", "default/b") // the file changed meanwhile
	write(t, path, plugin("a", "oci://x/3")+"---\nkind: [")
	step(time.Second+3*patience, "default/a", "default/b") // a broken file takes nothing away
	write(t, path, plugin("a", "oci://x/3")+"---\n"+plugin("b", "oci://x/1"))
	if r := step(5*time.Second, "default/a", "default/b"); r.Plugins[1] != first.Plugins[1] {
		t.Error("b came back unchanged and has a new pointer")
	}
	step(6*time.Second, "default/a", "default/b")
	write(t, path, plugin("a", "oci://x/3"))
	step(7*time.Second, "default/a", "default/b")
	step(7*time.Second+patience, "default/a")
}

func TestAnObjectThatMovesToAnotherFileIsNoDuplicate(t *testing.T) {
	t.Parallel()
	dir := world(t, map[string]string{"a.yaml": plugin("a", "oci://x/1") + "---\n" + plugin("b", "oci://x/1")})
	s := newSet([]string{dir}, nil)
	s.refresh(begin, nil)
	s.result()
	write(t, filepath.Join(dir, "a.yaml"), plugin("a", "oci://x/1"))
	write(t, filepath.Join(dir, "b.yaml"), plugin("b", "oci://x/2"))
	s.refresh(begin.Add(time.Second), nil)
	r := s.result()
	noErrors(t, r)
	if !has("default/a", "default/b")(r) || url(r, 1) != "oci://x/2" {
		t.Errorf("plugins %v, b is %s", names(r), url(r, 1))
	}
}

const invalidEnv = "  vmConfig:\n    env:\n    - {name: ISTIO_META_WASM_IMAGE_PULL_SECRET, value: x}\n"

func TestAnInvalidPluginIsAnErrorOfAWatchedFile(t *testing.T) {
	t.Parallel()
	dir := world(t, map[string]string{"a.yaml": plugin("a", "oci://x/1")})
	path := filepath.Join(dir, "a.yaml")
	results := watch(t, dir)
	until(t, results, nil, has("default/a"))
	write(t, path, plugin("a", "oci://x/2")+invalidEnv)
	r := until(t, results, nil, func(r Result) bool { return len(r.Errors) > 0 })
	if !has("default/a")(r) || url(r, 0) != "oci://x/1" || r.Plugins[0].Invalid != "" {
		t.Errorf("plugins %v, %s; the last good one must stay in force", names(r), url(r, 0))
	}
	if e := r.Errors[0]; e.File != path || e.Line < 7 || !strings.HasPrefix(e.Field, "spec.vmConfig.env") || !strings.Contains(e.Problem, ";") {
		t.Errorf("error %v", e)
	}
	if r := Load(dir); len(r.Errors) != 0 || len(r.Plugins) != 1 || r.Plugins[0].Invalid == "" {
		t.Errorf("Load: plugins %v, errors %v; it takes the plugin and says that it is invalid", names(r), r.Errors)
	}
}
