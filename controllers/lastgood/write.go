package lastgood

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

const (
	// finishLimit is how long Run goes on after its end, for what is due.
	finishLimit = 5 * time.Second
	// refresh is how often the leader reads what is there, to find what nobody should have written.
	refresh = 10 * time.Minute
)

// Run writes what is due while this replica leads, and tries again what failed. When ctx ends it writes the rest, so end it
// after the engine, and before the lease is given up.
func (s *Store) Run(ctx context.Context) {
	backoff := retry()
	said := ""
	again := time.NewTimer(refresh)
	defer again.Stop()
	for ctx.Err() == nil {
		pause := refresh
		switch err := s.write(ctx); {
		case err == nil:
			backoff, said = retry(), ""
		case ctx.Err() == nil:
			pause = backoff.Step()
			if err.Error() != said {
				said = err.Error()
				s.log.Warn("last good configurations cannot be written; trying again", "error", err)
			}
		}
		again.Reset(pause)
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-again.C:
			s.mu.Lock()
			s.fresh = false
			s.mu.Unlock()
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishLimit)
	defer cancel()
	if err := s.write(ctx); err != nil {
		s.log.Error("last good configurations could not be written at the end: a restart while a module is missing may find older ones", "error", err)
	}
}

func retry() wait.Backoff {
	return wait.Backoff{Duration: 200 * time.Millisecond, Factor: 2, Jitter: 0.3, Steps: 10, Cap: 30 * time.Second}
}

// write makes what is there what is wanted, one plugin after the other in the order of their names, always by the latest
// call of Save.
func (s *Store) write(ctx context.Context) error {
	for {
		s.mu.Lock()
		leader, fresh, turn := s.leader, s.fresh, s.turn
		want := s.want
		s.mu.Unlock()
		if !leader || want == nil {
			return nil
		}
		if !fresh {
			if err := s.read(ctx); err != nil {
				return err
			}
		}
		var errs []error
		for _, key := range s.due(want) {
			errs = append(errs, s.writeOne(ctx, key)) // one that cannot be written holds up no other
		}
		if err := errors.Join(errs...); err != nil {
			s.mu.Lock()
			s.fresh = false // who knows what was done
			s.mu.Unlock()
			return err
		}
		s.mu.Lock()
		done := s.turn == turn && s.fresh
		s.mu.Unlock()
		if done {
			return nil
		}
	}
}

// due are the plugins of which something else is there than is wanted, in the order of their names. There are thousands that
// are as they should be.
func (s *Store) due(want map[model.Key]*wanted) []model.Key {
	var out []model.Key
	for key, w := range want {
		if have := s.have[key]; len(have) != 1 || have[0].broken || have[0].name != w.name {
			out = append(out, key)
		}
	}
	for key := range s.have {
		if want[key] == nil {
			out = append(out, key)
		}
	}
	slices.SortFunc(out, func(a, b model.Key) int { return cmp.Compare(a.String(), b.String()) })
	return out
}

// read takes in what is there.
func (s *Store) read(ctx context.Context) error {
	s.mu.Lock()
	s.fresh = true // before the list: leadership that begins anew meanwhile has to read once more
	s.mu.Unlock()
	have := map[model.Key][]held{}
	err := s.each(ctx, func(o *appsv1.ControllerRevision) {
		key, _, err := decode(o)
		if err != nil {
			s.log.Error(err.Error())
		}
		if _, named := parseKey(key.String()); named {
			have[key] = append(have[key], held{name: o.Name, revision: o.Revision, broken: err != nil})
		}
	})
	if err != nil {
		s.mu.Lock()
		s.fresh = false
		s.mu.Unlock()
		return err
	}
	s.have = have
	return nil
}

// writeOne creates what is missing of a plugin, and deletes what is too much. An object that cannot be read is deleted only
// when there is a better one: it may be a newer release's.
func (s *Store) writeOne(ctx context.Context, key model.Key) error {
	s.mu.Lock()
	w := s.want[key]
	s.mu.Unlock()
	if w != nil && w.name == "" {
		return nil // too large; an older one is better than none
	}
	if s.unheard(key, w) {
		return nil // another replica wrote it: the watch tells the engine of it first
	}
	there := w == nil
	var revision int64
	for _, h := range s.have[key] {
		revision = max(revision, h.revision)
		there = there || h.name == w.name && !h.broken
	}
	if !there {
		if !s.leads() {
			return nil
		}
		_, data, err := encode(key, w.variants)
		if err != nil {
			return err
		}
		// The engine knows it. The watch may tell of it before Create comes back.
		s.mu.Lock()
		s.told[key] = told{w.name, revision + 1}
		s.mu.Unlock()
		if err := s.client.Create(ctx, newObject(s.namespace, w.name, key, revision+1, data)); err != nil {
			return fmt.Errorf("last good configuration of %s: %w", key, err)
		}
		s.have[key] = append(s.have[key], held{name: w.name, revision: revision + 1})
	}
	var left []held
	for _, h := range s.have[key] {
		if w != nil && h.name == w.name || w == nil && h.broken {
			left = append(left, h)
			continue
		}
		if !s.leads() {
			return nil
		}
		o := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: h.name}}
		if err := s.client.Delete(ctx, o); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("superseded last good configuration of %s: %w", key, err)
		}
	}
	if s.have[key] = left; len(left) == 0 {
		delete(s.have, key)
	}
	return nil
}

// unheard tells that the newest object of a plugin is newer than what the engine was told of, and not what it wants.
func (s *Store) unheard(key model.Key, w *wanted) bool {
	var newest held
	for _, h := range s.have[key] {
		if !h.broken && (newest.name == "" || h.revision > newest.revision) {
			newest = h
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return newest.name != "" && newest.revision > s.told[key].revision && (w == nil || w.name != newest.name)
}

func (s *Store) leads() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leader
}
