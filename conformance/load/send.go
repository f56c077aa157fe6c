package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

// one sends a request, judges the answer and counts it.
func (l *Load) one(due time.Time) {
	l.results.began()
	check := l.check.Load()
	conns := &connections{}
	a, err := l.send(conns)
	took := time.Since(due)
	if err == nil {
		err = a.judge(check)
		if now := l.check.Load(); err != nil && now != check && a.judge(now) == nil {
			err = nil
		}
	}
	l.results.ended(due.Sub(l.start), took, conns, short(err))
}

// answer is a response whose body was read to its end, so that several checks may read it.
type answer struct {
	resp *http.Response
	body []byte
}

func (a answer) judge(c *check) error {
	a.resp.Body = io.NopCloser(bytes.NewReader(a.body))
	return c.accept(a.resp)
}

// connections counts what the transport did for one request. It repeats a GET silently when a kept-alive connection
// breaks before the answer; here that shows.
type connections struct{ got, fresh atomic.Int64 }

func (l *Load) send(conns *connections) (answer, error) {
	if l.request == nil {
		return answer{}, errors.New("Config.Request is nil; give a function that makes a request")
	}
	r, err := l.request()
	if err != nil {
		return answer{}, fmt.Errorf("making the request: %w", err)
	}
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		conns.got.Add(1)
		if !i.Reused {
			conns.fresh.Add(1)
		}
	}}))
	resp, err := l.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, fmt.Errorf("reading the body: %w", err)
	}
	return answer{resp, body}, nil
}

// short leaves out what differs from request to request: the URL and the client's port.
func short(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return fmt.Errorf("%s: %w", op.Op, op.Err)
	}
	return err
}
