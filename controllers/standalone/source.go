package standalone

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/wasmpoint/wasmpoint/controllers/engine"
	"github.com/wasmpoint/wasmpoint/controllers/files"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// source turns what the files hold into events for the engine.
type source struct {
	s *instance

	mu       sync.Mutex
	have     map[store.Ref]any
	problems map[string]engine.LoadProblem
}

// watch takes the manifests in until ctx ends. ready gets nil when the first ones are in force, or why they cannot be. The
// first ones come from the watch itself: its last good content and generations begin with them, so that nothing is lost of
// a file that is broken right after the start.
func (s *instance) watch(ctx context.Context, ready chan<- error, stop context.CancelCauseFunc) {
	begun, refused := false, false
	err := files.Watch(ctx, s.o.Dirs, func(r files.Result) {
		switch {
		case refused: // start is ending
		case !begun:
			begun = true
			var err error
			if len(r.Errors) > 0 {
				err = loadErrors(r.Errors)
			} else {
				err = s.source.take(r, func() { ready <- nil })
			}
			if err != nil {
				refused = true
				ready <- err
			}
		default:
			if err := s.source.take(r, nil); err != nil {
				s.log.Error("manifests not taken in", "error", err)
			}
		}
	})
	if err == nil || ctx.Err() != nil {
		return
	}
	err = fmt.Errorf("watching the manifests: %w", err)
	if !begun {
		ready <- err
		return
	}
	stop(err)
}

// take compares a result with the one before and posts what differs. done (may be nil) is called when it is in force.
func (src *source) take(r files.Result, done func()) error {
	src.mu.Lock()
	defer src.mu.Unlock()
	next, moved, err := src.s.network.allocate(src.s.block, &r.Objects)
	if err != nil {
		return err
	}
	for _, c := range next.allocation.Conflicts {
		src.s.log.Warn("address: " + c.String())
	}
	src.s.network = next
	have := map[store.Ref]any{}
	var events []store.Event
	for _, object := range r.All() {
		ref, err := store.RefOf(object)
		if err != nil {
			return err
		}
		have[ref] = object
		if src.have[ref] != object {
			events = append(events, store.Event{Object: object})
		}
	}
	var gone []store.Ref
	for ref := range src.have {
		if _, still := have[ref]; !still {
			gone = append(gone, ref)
		}
	}
	sort.Slice(gone, func(i, j int) bool { return gone[i].String() < gone[j].String() })
	for _, ref := range gone {
		events = append(events, store.Event{Deleted: ref})
	}
	src.have = have
	src.s.engine.Apply(events, next, moved, done)
	src.report(r)
	return nil
}

// report logs each problem once, and once more when it is gone.
func (src *source) report(r files.Result) {
	now := map[string]engine.LoadProblem{}
	for _, e := range r.Errors {
		text := e.Error()
		p, known := src.problems[text]
		if !known {
			p = engine.LoadProblem{File: e.File, Line: e.Line, Message: text, Since: time.Now()}
			src.s.log.Error("manifest not taken in; what the file held before stays in force", "problem", text)
		}
		now[text] = p
	}
	files := map[string]bool{}
	for _, p := range now {
		files[p.File] = true
	}
	for text, p := range src.problems {
		if _, still := now[text]; !still && !files[p.File] {
			src.s.log.Info("manifest is fine again", "file", p.File)
		}
	}
	src.problems = now
	list := make([]engine.LoadProblem, 0, len(now))
	for _, p := range now {
		list = append(list, p)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Message < list[j].Message })
	src.s.engine.SetProblems(list)
}
