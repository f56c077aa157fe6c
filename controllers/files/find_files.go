package files

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Stdin is the path that stands for standard input.
const Stdin = "-"

// stamp tells whether a file may have changed.
type stamp struct {
	modified time.Time
	size     int64
	info     os.FileInfo
	// real is where a link leads to, or "".
	real string
}

func (s stamp) same(o stamp) bool {
	return s.modified.Equal(o.modified) && s.size == o.size && s.info != nil && o.info != nil && os.SameFile(s.info, o.info)
}

// listing is what stands below the roots at one moment.
type listing struct {
	files map[string]stamp
	// folders are all folders that were read, and those of the files that links lead to.
	folders []string
	errs    []Error
	// lost are roots that are not there.
	lost []string
	// unreadable are files, folders and links that are there, or may be, and that could not be looked into. What they held
	// is unknown, so it stays in force: an error must never look like a deletion.
	unreadable []string
	seen       map[string]bool
	disk       disk
}

// list finds the files below the roots. A file that is reached on two ways is taken once.
func list(d disk, roots []string) *listing {
	l := &listing{files: map[string]stamp{}, seen: map[string]bool{}, disk: d}
	for _, root := range roots {
		if root == Stdin {
			continue
		}
		info, err := d.stat(root)
		if err != nil {
			if os.IsNotExist(err) {
				l.lost = append(l.lost, root)
			}
			l.fail(root, err)
			continue
		}
		l.add(root, info)
	}
	return l
}

func (l *listing) fail(path string, err error) {
	problem := "cannot be read: " + reason(err) + "; check its permissions"
	if os.IsNotExist(err) {
		problem = "does not exist; check the path"
	} else {
		l.unreadable = append(l.unreadable, path)
	}
	l.errs = append(l.errs, Error{Position: Position{File: path}, Problem: problem})
}

// keeps tells whether what a file held stays in force although the file was not found. A root that is away as a whole
// keeps what is below it: that is not how people delete plugins.
func (l *listing) keeps(path string) bool {
	return slices.ContainsFunc(l.lost, func(root string) bool { return below(root, path) }) ||
		slices.ContainsFunc(l.unreadable, func(at string) bool { return at == path || below(at, path) })
}

// reason leaves the path out of an error of package os.
func reason(err error) string {
	var e *os.PathError
	if errors.As(err, &e) {
		err = e.Err
	}
	return err.Error()
}

// add takes in a file or folder whose place is not known yet.
func (l *listing) add(path string, info os.FileInfo) {
	real, err := l.disk.follow(path)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		l.fail(path, err)
		return
	}
	if info.IsDir() {
		l.folder(path, real)
		return
	}
	own, err := os.Lstat(path)
	l.file(path, real, info, err == nil && own.Mode()&os.ModeSymlink != 0)
}

func (l *listing) file(path, real string, info os.FileInfo, link bool) {
	if l.seen[real] || !info.Mode().IsRegular() {
		return
	}
	l.seen[real] = true
	st := stamp{modified: info.ModTime(), size: info.Size(), info: info}
	if link {
		st.real = real
		l.folders = append(l.folders, filepath.Dir(real))
	}
	l.files[path] = st
}

func (l *listing) folder(path, real string) {
	if l.seen[real] {
		return
	}
	l.seen[real] = true
	l.folders = append(l.folders, path)
	entries, err := l.disk.readDir(path)
	if err != nil {
		l.fail(path, err)
		return
	}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || !e.IsDir() && e.Type()&os.ModeSymlink == 0 && !isManifest(name) {
			continue
		}
		at := filepath.Join(path, name)
		info, err := l.disk.stat(at)
		switch {
		case os.IsNotExist(err): // A dangling link, or a file that was taken away meanwhile.
		case err != nil:
			l.fail(at, err)
		case e.Type()&os.ModeSymlink != 0:
			if info.IsDir() || isManifest(name) {
				l.add(at, info)
			}
		case info.IsDir():
			l.folder(at, filepath.Join(real, name))
		default:
			l.file(at, filepath.Join(real, name), info, false)
		}
	}
}

func isManifest(name string) bool {
	switch filepath.Ext(name) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}
