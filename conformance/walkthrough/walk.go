package walkthrough

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"
)

// patience ends a row that is never answered as it should.
const patience = 2 * time.Minute

// again is how often a right answer has to come again: an answer that changes back is a wrong one.
const again = 20

// Row is one answered request.
type Row struct {
	Step string
	Request
	// Got is the last answer's status; 0 means that there was none, and Err says why.
	Got int
	Err error
	// Took is the time from the file change of the step to the first right answer.
	Took time.Duration
}

// OK tells whether the answer is the wanted one.
func (r Row) OK() bool { return r.Got == r.Want }

// Walk takes all steps and gives every row to report as soon as it is known. It tells whether all rows are right. The
// error is about the walking itself, such as a file that cannot be written.
func (w *World) Walk(ctx context.Context, report func(Row)) (ok bool, err error) {
	ok = true
	for _, s := range Steps {
		begin := time.Now()
		for _, f := range s.Add {
			if err := w.Add(filepath.Join(w.config.Samples, f[0]), f[1]); err != nil {
				return false, err
			}
		}
		for _, f := range s.Remove {
			if err := w.Remove(f); err != nil {
				return false, err
			}
		}
		for _, r := range s.Requests {
			row := w.row(ctx, s.Name, r, begin)
			ok = ok && row.OK()
			report(row)
		}
	}
	return ok, ctx.Err()
}

func (w *World) row(ctx context.Context, step string, r Request, begin time.Time) Row {
	row := Row{Step: step, Request: r}
	for end := begin.Add(patience); ; {
		row.Got, row.Err = w.ask(ctx, r)
		if row.OK() {
			break
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return row
		}
		time.Sleep(time.Millisecond)
	}
	row.Took = time.Since(begin)
	for range again {
		if row.Got, row.Err = w.ask(ctx, r); !row.OK() {
			return row
		}
	}
	return row
}

func (w *World) ask(ctx context.Context, r Request) (int, error) {
	host, err := w.address(ctx, r.At)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+r.Path, nil)
	if err != nil {
		return 0, err
	}
	if r.Authorization != "" {
		req.Header.Set("Authorization", r.Authorization)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func (w *World) address(ctx context.Context, a at) (string, error) {
	if host, known := w.hosts[a]; known {
		return host, nil // addresses do not move, and asking for one would count as time
	}
	var host string
	var err error
	switch a {
	case gateway:
		host, err = w.Gateway(ctx, "bookinfo-gateway")
	case productpage:
		host, err = w.Service(ctx, "productpage")
		host += ":9080"
	case reviews:
		host, err = w.Service(ctx, "reviews")
		host += ":9080"
	default:
		err = fmt.Errorf("unknown place %q", a)
	}
	if err == nil {
		w.hosts[a] = host
	}
	return host, err
}
