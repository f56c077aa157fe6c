package files

import (
	"bytes"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// patience is how long a file must have been empty, or away, until its objects are: editors save by truncating or by
// moving the old file aside, and a plugin must not fall off a gateway meanwhile.
const patience = 100 * time.Millisecond

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
}

type number struct {
	generation int64
	spec       string
}

// file is one file.
type file struct {
	stamp   stamp
	content []byte
	// good are the objects in force, notes belong to them.
	good  []*object
	notes []Note
	errs  []Error
	// waiting is since when the file is empty or away although it has objects in force; zero: it is neither.
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
	return &set{roots: clean, stdin: stdin, files: map[string]*file{}, numbers: map[identity]number{}, owners: map[identity]string{}, spaces: spaces{}}
}

// refresh reads what changed. Files for which named is true are read whatever their stamp says; nil stands for all. The
// second result is when to come back because of files that are empty or away, zero if there are none.
func (s *set) refresh(now time.Time, named func(path string) bool) (*listing, time.Time) {
	l := list(s.roots)
	s.errs = l.errs
	var again time.Time
	for _, path := range sortedKeys(l.files) {
		f := s.files[path]
		if f == nil {
			f = &file{}
			s.files[path] = f
		}
		if f.away {
			f.away, f.waiting = false, time.Time{}
		}
		st := l.files[path]
		if f.stamp.same(st) && f.waiting.IsZero() && named != nil && !named(path) && !named(st.real) {
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
		s.take(Stdin, f, content, err)
	}
	return l, again
}

// read takes a file's content in, unless it is empty for the moment.
func (s *set) read(path string, f *file, st stamp, now time.Time) (again time.Time) {
	content, err := os.ReadFile(path)
	if err == nil && len(content) == 0 && len(f.good) > 0 {
		// A file that was written to since it was last seen empty is a new emptiness.
		if f.waiting.IsZero() || !f.stamp.same(st) {
			f.waiting, f.stamp = now, st
		}
		if end := f.waiting.Add(patience); now.Before(end) {
			return end
		}
	}
	f.waiting, f.stamp = time.Time{}, st
	s.take(path, f, content, err)
	return time.Time{}
}

// gone drops a file that is away for long enough. The files of a root that is away as a whole stay: that is not how
// people delete plugins.
func (s *set) gone(path string, f *file, l *listing, now time.Time) (again time.Time) {
	for _, root := range l.lost {
		if rel, err := filepath.Rel(root, path); err == nil && rel != "." && filepath.IsLocal(rel) {
			return time.Time{}
		}
	}
	if !f.away {
		f.away, f.waiting = true, now
	}
	if end := f.waiting.Add(patience); now.Before(end) && len(f.good) > 0 {
		return end
	}
	delete(s.files, path)
	return time.Time{}
}

// take parses content and, if nothing is wrong with it, puts it in force.
func (s *set) take(path string, f *file, content []byte, err error) {
	if err != nil {
		f.errs = []Error{{Position: Position{File: path}, Problem: "cannot be read: " + reason(err) + "; check its permissions"}}
		f.content = nil
		return
	}
	if f.content != nil && bytes.Equal(f.content, content) {
		return
	}
	f.content = append([]byte{}, content...)
	p := parse(path, content)
	p.errs = append(p.errs, twice(p.objects)...)
	f.errs = p.errs
	if len(p.errs) > 0 {
		return
	}
	before := map[identity]*object{}
	for _, o := range f.good {
		before[o.identity] = o
	}
	for _, o := range p.objects {
		if old := before[o.identity]; old != nil && old.whole == o.whole {
			o.typed, o.shared = old.typed, old.shared
			continue
		}
		s.share(o)
	}
	f.good, f.notes = p.objects, p.notes
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
	var p *model.Plugin
	switch typed := o.typed.(type) {
	case *v1alpha1.WasmPlugin:
		p = model.FromWasmPlugin(typed)
	case *v1alpha1.TrafficExtension:
		p = model.FromTrafficExtension(typed)
	default:
		o.shared = typed
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
