package files

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// quiet is how long nothing must happen before a change is read: long enough for truncate-and-write to be one change,
	// short enough not to be felt.
	quiet = 2 * time.Millisecond
	// longest bounds the wait while events keep coming.
	longest = 20 * time.Millisecond
)

// Watch calls onChange with what the files hold, once at the beginning and then after every change, until ctx ends. Calls
// come one after another; while one is under way, changes add up for the next.
//
// A file with an error keeps its last good content in force, and the error stands in Result.Errors until the file is
// right; the first Result has nothing to keep, so that its errors are for the caller to judge. A plugin that is invalid
// (model.Plugin.Invalid) is such an error. An object that vanishes, with its file or from it, goes when the file was
// unchanged for a tenth of a second, since editors do both for a moment when they save. What is below a folder or link that
// cannot be read stays in force. The error is about the watching itself, such as too many watches.
func Watch(ctx context.Context, paths []string, onChange func(Result)) error {
	fs, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("files cannot be watched: %w", err)
	}
	defer func() { _ = fs.Close() }()
	w := &watcher{set: newSet(paths, nil), fs: fs, watched: map[string]bool{}}
	w.set.refuseInvalid = true
	if err := w.refresh(nil); err != nil {
		return err
	}
	last := w.set.result()
	onChange(last)
	for {
		named, err := w.wait(ctx)
		if err != nil || ctx.Err() != nil {
			return err
		}
		if err := w.refresh(named); err != nil {
			return err
		}
		if next := w.set.result(); !same(last, next) {
			last = next
			onChange(last)
		}
	}
}

type watcher struct {
	set     *set
	fs      *fsnotify.Watcher
	watched map[string]bool
	// read are those of the watched folders whose files count.
	read map[string]bool
	// again is when to look without an event; zero: not at all.
	again time.Time
}

// refresh reads what changed. Folders are watched before they are read a second time, so that nothing falls between.
func (w *watcher) refresh(named func(string) bool) error {
	for {
		listing, again := w.set.refresh(time.Now(), named)
		w.again = again
		added, err := w.follow(listing)
		if err != nil || !added {
			return err
		}
		if named != nil {
			continue
		}
		named = func(string) bool { return false }
	}
}

// follow watches all folders, and those around the roots, by which a root that comes back is seen.
func (w *watcher) follow(l *listing) (added bool, err error) {
	want, taken := map[string]bool{}, map[string]bool{}
	wish := func(folder string) {
		// One folder under two names would be one watch, with the events of one name only.
		if real, err := filepath.EvalSymlinks(folder); err == nil {
			if abs, err := filepath.Abs(real); err == nil && !taken[abs] {
				taken[abs], want[folder] = true, true
			}
		}
	}
	for _, folder := range l.folders {
		wish(folder)
	}
	w.read = maps.Clone(want)
	for _, root := range w.set.roots {
		wish(filepath.Dir(root))
	}
	for _, folder := range sortedKeys(w.watched) {
		if !want[folder] {
			w.forget(folder)
		}
	}
	for _, folder := range sortedKeys(want) {
		if w.watched[folder] {
			continue
		}
		if err := w.fs.Add(folder); err == nil {
			w.watched[folder], added = true, true
		} else if errors.Is(err, os.ErrPermission) || slices.Contains(l.unreadable, folder) {
			w.again = earlier(w.again, time.Now().Add(retry)) // such a folder is reported by the listing, and kept
		} else if w.read[folder] && exists(folder) {
			return added, fmt.Errorf("%s cannot be watched: %w", folder, err)
		}
	}
	return added, nil
}

// forget ends a watch, which may have ended by itself with its folder.
func (w *watcher) forget(folder string) {
	_ = w.fs.Remove(folder)
	delete(w.watched, folder)
}

// wait returns after a change, as soon as it is quiet again, with the files that must be read whatever they look like.
func (w *watcher) wait(ctx context.Context) (named func(string) bool, err error) {
	var timer <-chan time.Time
	if !w.again.IsZero() {
		timer = time.After(time.Until(w.again))
	}
	names := map[string]bool{}
	all := false
	var deadline time.Time
	for {
		select {
		case <-ctx.Done():
			return nil, nil
		case <-timer:
			return func(path string) bool { return all || names[path] }, nil
		case event, ok := <-w.fs.Events:
			if !ok {
				return nil, errors.New("the watch on files ended by itself")
			}
			path := filepath.Clean(event.Name)
			if !w.concerns(path) {
				continue
			}
			if w.watched[path] && !event.Has(fsnotify.Write) && !event.Has(fsnotify.Chmod) {
				// Under the folder's name is another one now, or none.
				w.forget(path)
			}
			names[path] = true
		case err, ok := <-w.fs.Errors:
			if !ok {
				return nil, errors.New("the watch on files ended by itself")
			}
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return nil, fmt.Errorf("the watch on files failed: %w", err)
			}
			all = true
		}
		now := time.Now()
		if deadline.IsZero() {
			deadline = now.Add(longest)
		}
		timer = time.After(min(quiet, deadline.Sub(now)))
	}
}

// concerns tells whether a path is a root, or in a folder that was read. Folders around the roots are watched only for
// the roots themselves.
func (w *watcher) concerns(path string) bool {
	return slices.Contains(w.set.roots, path) || w.read[filepath.Dir(path)]
}
