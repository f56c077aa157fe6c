package volumes

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// dataLink is the link that is turned over from one set of files to the next.
const dataLink = "..data"

// Owner is who owns the files of a Pod's volumes.
type Owner struct {
	// User reads secret files: the one user of all containers. -1 if they have several.
	User int
	// Group is the Pod's fsGroup, -1 for none.
	Group int
}

// Write brings a volume's folder to a payload, all files at once, and tells whether anything changed. What users see are
// links through ..data, as kubelet makes them.
func Write(dir string, p Payload, owner Owner) (changed bool, err error) {
	if same(dir, p) {
		return false, nil
	}
	fresh, err := os.MkdirTemp(dir, "..20")
	if err != nil {
		return false, err
	}
	if err := os.Chmod(fresh, 0o755); err != nil {
		return false, err
	}
	for name, f := range p {
		if err := owner.write(filepath.Join(fresh, name), f); err != nil {
			return false, err
		}
	}
	old, _ := os.Readlink(filepath.Join(dir, dataLink)) // "" the first time
	next := filepath.Join(dir, "..data_tmp")
	err = errors.Join(os.Symlink(filepath.Base(fresh), next), os.Rename(next, filepath.Join(dir, dataLink)))
	if err != nil {
		return false, err
	}
	if err := links(dir, p); err != nil {
		return false, err
	}
	if old != "" {
		err = os.RemoveAll(filepath.Join(dir, old))
	}
	return true, err
}

// same tells whether the folder holds the payload already.
func same(dir string, p Payload) bool {
	data := filepath.Join(dir, dataLink)
	found := 0
	base, err := filepath.EvalSymlinks(data)
	if err != nil {
		return false
	}
	err = filepath.WalkDir(base, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		found++
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(base, path) // path is below base
		if f, wanted := p[name]; err == nil && (!wanted || !bytes.Equal(f.Data, content)) {
			err = fs.SkipAll
			found = -1
		}
		return err
	})
	return err == nil && found == len(p)
}

// links makes a link for each first part of a path, and removes those of files that are no more.
func links(dir string, p Payload) error {
	wanted := map[string]bool{}
	for name := range p {
		first, _, _ := strings.Cut(filepath.Clean(name), "/")
		wanted[first] = true
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name(), ".."):
		case wanted[e.Name()]:
			delete(wanted, e.Name())
		default:
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	for first := range wanted {
		if err := os.Symlink(filepath.Join(dataLink, first), filepath.Join(dir, first)); err != nil {
			return err
		}
	}
	return nil
}

func (o Owner) write(path string, f File) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, f.Data, 0o600); err != nil {
		return err
	}
	mode, user := f.Mode, -1
	switch {
	case o.Group >= 0:
		mode |= 0o040
		if f.Secret {
			mode = 0o640
		}
	case f.Secret && o.User >= 0:
		mode, user = 0o600, o.User
	}
	if err := chown(path, user, o.Group); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

// Empty makes the folder of an emptyDir.
func (o Owner) Empty(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := chown(dir, -1, o.Group); err != nil {
		return err
	}
	mode := fs.FileMode(0o777)
	if o.Group >= 0 {
		mode |= fs.ModeSetgid
	}
	return os.Chmod(dir, mode)
}

// chown leaves the owner as it is where there is only one (a user namespace with one id).
func chown(path string, user, group int) error {
	err := os.Chown(path, user, group)
	if errors.Is(err, syscall.EINVAL) {
		return nil
	}
	return err
}
