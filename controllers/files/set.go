package files

import (
	"bytes"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"time"
)

const (
	// patience is how long a file must have been away, or unchanged without an object that it had, until the object is
	// gone: editors save by truncating, by writing piece by piece or by moving the old file aside, and a plugin must not
	// fall off a gateway meanwhile.
	patience = 100 * time.Millisecond
	// retry is when to look again at what could not be read: no event says that an I/O error is over.
	retry = time.Second
)

// set is the state of a loader: the last good content of every file.
type set struct {
	roots []string
	stdin io.Reader
	files map[string]*file
	// numbers count the changes of an object's spec, also over deletions.
	numbers map[identity]number
	// owners say from which file an object was taken last, so that a second one never pushes it aside.
	owners map[identity]string
	errs   []Error
	spaces spaces
	disk   disk
	// refuseInvalid makes a plugin that is invalid by its conversion (model.Plugin.Invalid) an error of its file, so that
	// the last good content stays in force. Only a watcher does so: it has something in force to keep, and an edit must not
	// take a FAIL_CLOSE plugin off a gateway. What reads files once takes such a plugin and gives it the verdict Invalid, as
	// a cluster does.
	refuseInvalid bool
}

type number struct {
	generation int64
	spec       string
}

// file is one file.
type file struct {
	stamp   stamp
	content []byte
	// good are the objects in force, notes belong to them. leaving are in force too, although the file does not have them
	// any more: perhaps it is only half written.
	good    []*object
	leaving []*object
	notes   []Note
	errs    []Error
	// waiting is since when the file is away, or unchanged while objects are leaving.
	waiting time.Time
	away    bool
}

func newSet(roots []string, stdin io.Reader) *set {
	clean := make([]string, 0, len(roots))
	for _, r := range roots {
		if r != Stdin {
			r = filepath.Clean(r)
		}
		if !slices.Contains(clean, r) {
			clean = append(clean, r)
		}
	}
	return &set{roots: clean, stdin: stdin, files: map[string]*file{}, numbers: map[identity]number{}, owners: map[identity]string{}, spaces: spaces{}, disk: realDisk()}
}

// refresh reads what changed. Files for which named is true are read whatever their stamp says; nil stands for all. The
// second result is when to come back because of objects that are leaving, files that are away or what could not be read;
// zero if there are none.
func (s *set) refresh(now time.Time, named func(path string) bool) (*listing, time.Time) {
	l := list(s.disk, s.roots)
	s.errs = l.errs
	var again time.Time
	if len(l.unreadable) > 0 {
		again = now.Add(retry)
	}
	for _, path := range sortedKeys(l.files) {
		f := s.files[path]
		if f == nil {
			f = &file{}
			s.files[path] = f
		}
		if f.away {
			f.away, f.waiting = false, now
		}
		st := l.files[path]
		if f.stamp.same(st) && len(f.leaving) == 0 && f.content != nil && named != nil && !named(path) && !named(st.real) {
			continue
		}
		again = earlier(again, s.read(path, f, st, now))
	}
	for path, f := range s.files {
		if _, there := l.files[path]; !there && path != Stdin {
			again = earlier(again, s.gone(path, f, l, now))
		}
	}
	if slices.Contains(s.roots, Stdin) && s.files[Stdin] == nil && s.stdin != nil {
		f := &file{}
		s.files[Stdin] = f
		content, err := io.ReadAll(s.stdin)
		s.take(Stdin, f, content, err, now)
	}
	return l, again
}

// read takes a file's content in, and lets go of what left it when the file is quiet for long enough. As long as the file
// has a problem nothing leaves.
func (s *set) read(path string, f *file, st stamp, now time.Time) (again time.Time) {
	if !f.stamp.same(st) {
		f.waiting = now // a file that is being written to is not quiet, even if it says the same
	}
	f.stamp = st
	content, err := s.disk.read(path)
	s.take(path, f, content, err, now)
	switch end := f.waiting.Add(patience); {
	case err != nil:
		return now.Add(retry)
	case len(f.leaving) == 0 || len(f.errs) > 0:
		return time.Time{}
	case now.Before(end):
		return end
	}
	f.leaving = nil
	return time.Time{}
}

// gone drops a file that is away for long enough.
func (s *set) gone(path string, f *file, l *listing, now time.Time) (again time.Time) {
	if l.keeps(path) {
		return time.Time{}
	}
	if !f.away {
		f.away, f.waiting = true, now
	}
	if end := f.waiting.Add(patience); now.Before(end) && len(f.good)+len(f.leaving) > 0 {
		return end
	}
	delete(s.files, path)
	return time.Time{}
}

// take parses content and, if nothing is wrong with it, puts it in force. Objects that it lacks are leaving from now on.
func (s *set) take(path string, f *file, content []byte, err error, now time.Time) {
	if err != nil {
		f.errs = []Error{{Position: Position{File: path}, Problem: "cannot be read: " + reason(err) + "; check its permissions"}}
		f.content = nil
		return
	}
	if f.content != nil && bytes.Equal(f.content, content) {
		return
	}
	f.content, f.waiting = append([]byte{}, content...), now
	p := parse(path, content, s.refuseInvalid)
	p.errs = append(p.errs, twice(p.objects)...)
	f.errs = p.errs
	if len(p.errs) > 0 {
		return
	}
	before := map[identity]*object{}
	old := append(slices.Clip(f.good), f.leaving...)
	for _, o := range old {
		before[o.identity] = o
	}
	for _, o := range p.objects {
		was := before[o.identity]
		delete(before, o.identity)
		if was != nil && was.whole == o.whole {
			o.typed, o.shared = was.typed, was.shared
			continue
		}
		s.share(o)
	}
	f.good, f.notes = p.objects, p.notes
	f.leaving = slices.DeleteFunc(old, func(o *object) bool { return before[o.identity] == nil })
}

// twice finds objects that stand twice in one file.
func twice(objects []*object) []Error {
	var errs []Error
	first := map[identity]*object{}
	for _, o := range objects {
		if old := first[o.identity]; old != nil {
			errs = append(errs, duplicate(o, old))
			continue
		}
		first[o.identity] = o
	}
	return errs
}

func duplicate(o, first *object) Error {
	return Error{Position: o.pos, Problem: o.String() + " stands also at " + first.pos.String() + ", which is in force; remove one of them"}
}

// share makes what is handed out, with its generation.
func (s *set) share(o *object) {
	n := s.numbers[o.identity]
	if n.spec != o.spec {
		n = number{generation: n.generation + 1, spec: o.spec}
		s.numbers[o.identity] = n
	}
	o.typed.SetGeneration(n.generation)
	p := neutral(o.typed)
	if p == nil {
		o.shared = o.typed
		return
	}
	folder := filepath.Dir(o.pos.File)
	if o.pos.File == Stdin {
		folder = "."
	}
	if abs, err := filepath.Abs(folder); err == nil {
		folder = abs
	}
	p.SourceDir = folder
	o.shared = p
}

// paths are those of the files in a fixed order: files that are away come last, so that a file that was given another
// name does not collide with itself.
func (s *set) paths() []string {
	paths := slices.Collect(maps.Keys(s.files))
	slices.SortFunc(paths, func(a, b string) int {
		if x, y := s.files[a].away, s.files[b].away; x != y {
			if y {
				return -1
			}
			return 1
		}
		if a < b {
			return -1
		}
		return 1
	})
	return paths
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
