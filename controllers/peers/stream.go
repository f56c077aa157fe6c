package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// selfPause is how long the address of this replica is left alone: it may become another's.
const selfPause = time.Minute

var (
	errSelf     = errors.New("this replica itself")
	errReplaced = errors.New("another stream speaks for this replica now")
)

// stream reads from one address.
type stream struct {
	runner  *runner
	address string
	log     *slog.Logger
	// replica is the name in the first line of the connection that is open.
	replica string
}

// keep connects again and again until ctx ends.
func (s *stream) keep(ctx context.Context) {
	backoff := retry()
	said := ""
	for ctx.Err() == nil {
		s.replica = ""
		err := s.read(ctx)
		if s.replica != "" {
			s.runner.lost(s)
			backoff, said = retry(), ""
		}
		pause := backoff.Step()
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errSelf):
			pause = selfPause
		case errors.Is(err, errReplaced):
			pause = s.runner.o.Grace
		case err.Error() != said:
			said = err.Error()
			s.log.Warn("peer cannot be read; its proxies are missing in the count until it can", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func retry() wait.Backoff {
	return wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 7, Cap: 5 * time.Second}
}

// read reads one connection to its end. It never returns nil.
func (s *stream) read(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := s.runner.o.Silence
	alive := time.AfterFunc(silence, func() { cancel(fmt.Errorf("no word for %s", silence)) })
	defer alive.Stop()

	scheme := "http"
	if s.runner.o.TLS != nil {
		scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+s.address+Path, nil)
	if err != nil {
		return fmt.Errorf("peer address %q: %w", s.address, err)
	}
	resp, err := s.runner.client.Do(req)
	if err != nil {
		return cause(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", resp.Status)
	}
	limited := &io.LimitedReader{R: resp.Body}
	decode := json.NewDecoder(limited)
	for {
		limited.N = maxLine
		var l line
		if err := decode.Decode(&l); err != nil {
			return cause(ctx, err)
		}
		alive.Reset(silence)
		if s.replica == "" {
			if err := s.hello(&l); err != nil {
				return err
			}
		} else if l.Replica != "" {
			return errors.New("it began anew in the middle of a stream")
		}
		if !s.runner.take(s, &l) {
			return errReplaced
		}
		if l.Replica != "" {
			s.log.Info("peer connected", "replica", s.replica, "proxies", len(l.Proxies))
			s.runner.settled(s.address)
		}
	}
}

// hello looks at the first line.
func (s *stream) hello(l *line) error {
	switch {
	case l.Version != version:
		return fmt.Errorf("it speaks version %d, and this replica version %d; that ends when all replicas run the same release", l.Version, version)
	case l.Replica == "":
		return errors.New("it does not say its name")
	case l.Replica == s.runner.o.Self:
		s.runner.settled(s.address)
		return errSelf
	}
	s.replica = l.Replica
	return nil
}

func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil && !errors.Is(c, context.Canceled) {
		return c
	}
	return err
}
