package engine

import (
	"context"
	"log/slog"
	"sync"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
)

// saver writes the last good variants beside the loop: a write waits for the disk, and no change of a plugin has to wait
// for that. Of several writes that are due only the latest is done.
type saver struct {
	to  LastGood
	log *slog.Logger

	mu      sync.Mutex
	due     map[model.Key][]*build.Variant
	wake    chan struct{}
	running bool
}

func newSaver(to LastGood, log *slog.Logger) *saver {
	return &saver{to: to, log: log, wake: make(chan struct{}, 1)}
}

// save takes a state to be written. It is written before save returns if nobody runs the saver.
func (s *saver) save(good map[model.Key][]*build.Variant) {
	s.mu.Lock()
	s.due = good
	running := s.running
	s.mu.Unlock()
	if !running {
		s.write()
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run writes until ctx ends, and then what is still due.
func (s *saver) run(ctx context.Context) {
	s.mu.Lock()
	s.running = true
	s.mu.Unlock()
	defer s.write()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
			s.write()
		}
	}
}

func (s *saver) write() {
	s.mu.Lock()
	good := s.due
	s.due = nil
	s.mu.Unlock()
	if good == nil {
		return
	}
	if err := s.to.Save(good); err != nil {
		s.log.Error("last good configurations cannot be saved: a restart while a module is missing would not find them", "error", err)
	}
}
