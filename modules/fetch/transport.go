package fetch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// trip is what the requests of one Open or Load have in common. It travels in the context, because the registry library
// makes requests of its own (ping, token) from the same context.
type trip struct {
	// plain says which hosts may be spoken to without TLS.
	plain func(host string) bool
	// limit is the largest answer in bytes.
	limit int64
	// wait is the Retry-After of the last refusing answer, in nanoseconds.
	wait atomic.Int64
}

func (t *trip) retryAfter() time.Duration { return time.Duration(t.wait.Load()) }

type tripKey struct{}

func withTrip(ctx context.Context, t *trip) context.Context {
	return context.WithValue(ctx, tripKey{}, t)
}

// maxRetryAfter bounds what a server may ask for.
const maxRetryAfter = 30 * time.Minute

// guard stands around the transport: it refuses plain HTTP where it is not allowed, bounds answers, notices stalls and
// remembers Retry-After.
type guard struct {
	inner http.RoundTripper
	stall time.Duration
}

func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	t, _ := r.Context().Value(tripKey{}).(*trip)
	if t == nil {
		return nil, errors.New("request without a trip")
	}
	if r.URL.Scheme != "https" && !t.plain(r.URL.Host) {
		return nil, errf(Unavailable, "%s is to be reached over plain HTTP, which is allowed for hosts of this machine only; serve it with TLS, or allow plain HTTP for this host", r.URL.Host)
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	timer := time.AfterFunc(g.stall, func() { cancel(g.stalled(r)) })
	resp, err := g.inner.RoundTrip(r.WithContext(ctx))
	if err != nil {
		timer.Stop()
		err = cause(ctx, err)
		cancel(nil)
		return nil, err
	}
	if wait := retryAfter(resp); wait > 0 {
		t.wait.Store(int64(wait))
	}
	resp.Body = &body{inner: resp.Body, ctx: ctx, cancel: cancel, timer: timer, stall: g.stall}
	if resp.ContentLength > t.limit && r.Method != http.MethodHead {
		resp.Body.Close()
		return nil, tooLarge(t.limit)
	}
	resp.Body = &capped{ReadCloser: resp.Body, left: t.limit, limit: t.limit}
	return resp, nil
}

func (g guard) stalled(r *http.Request) error {
	return errf(Unavailable, "%s sent nothing for %s", r.URL.Host, g.stall)
}

// cause prefers the reason for which a context was cancelled over the error that the cancellation led to.
func cause(ctx context.Context, err error) error {
	var own *Error
	if c := context.Cause(ctx); c != nil && errors.As(c, &own) {
		return own
	}
	return err
}

// body restarts the stall timer with each read.
type body struct {
	inner  io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	stall  time.Duration
}

func (b *body) Read(p []byte) (int, error) {
	b.timer.Reset(b.stall)
	n, err := b.inner.Read(p)
	b.timer.Stop()
	if err != nil && !errors.Is(err, io.EOF) {
		err = cause(b.ctx, err)
	}
	return n, err
}

func (b *body) Close() error {
	b.timer.Stop()
	b.cancel(nil)
	return b.inner.Close()
}

// capped is a body that fails when it is longer than allowed.
type capped struct {
	io.ReadCloser
	left, limit int64
}

func (c *capped) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return n, tooLarge(c.limit)
	}
	return n, err
}

func tooLarge(limit int64) error {
	return errf(Invalid, "the download is larger than the limit of %d bytes; an image for a plugin holds the plugin alone", limit)
}

// retryAfter reads the header of answers that ask to come back later, as seconds or as a date.
func retryAfter(resp *http.Response) time.Duration {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	text := resp.Header.Get("Retry-After")
	wait := time.Duration(0)
	if s, err := strconv.Atoi(text); err == nil {
		wait = time.Duration(min(s, int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		// The server's own clock says how far away the date is.
		now, err := http.ParseTime(resp.Header.Get("Date"))
		if err != nil {
			now = time.Now()
		}
		wait = at.Sub(now)
	}
	return max(0, min(wait, maxRetryAfter))
}

// source is a stream whose own errors are remembered, so that they are not taken for errors of its content.
type source struct {
	r    io.Reader
	wrap func(error) error
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		s.err = s.wrap(err)
	}
	return n, err
}
