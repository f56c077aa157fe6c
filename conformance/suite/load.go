package suite

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/wasmpoint/wasmpoint/conformance/echo"
	traffic "github.com/wasmpoint/wasmpoint/conformance/load"
)

// loadRate is in requests per second: enough for one to be under way whenever something changes.
const loadRate = 200

// Load sends a request again and again until MustNotFail, over connections that are kept as long as the other side does not
// say that it closes them. Every answer has to be as wanted.
func (w *World) Load(r Request, want Want) *traffic.Load {
	w.t.Helper()
	l := traffic.Start(traffic.Config{
		Rate:    loadRate,
		Request: func() (*http.Request, error) { return http.NewRequest(http.MethodGet, "http://"+r.Address+"/", nil) },
		Check: func(answer *http.Response) error {
			var seen echo.Answer
			if answer.StatusCode == http.StatusOK {
				if err := json.NewDecoder(answer.Body).Decode(&seen); err != nil {
					return err
				}
			}
			a := Answer{Status: answer.StatusCode, Plugins: seen.Headers.Get("x-plugins")}
			if !want.is(a) {
				return fmt.Errorf("%d with plugins %q, want %+v", a.Status, a.Plugins, want)
			}
			return nil
		},
	})
	w.t.Cleanup(func() { l.Stop() })
	return l
}

// MustNotFail ends the load, and fails the test if any request failed.
func (w *World) MustNotFail(l *traffic.Load) {
	w.t.Helper()
	report := l.Stop()
	if report.Failed > 0 || report.Repeated > 0 || report.OK < loadRate {
		w.t.Errorf("%s: want no failure among %d requests or more", report, loadRate)
	}
	w.t.Log(report)
}
