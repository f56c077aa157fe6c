package suite

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/wasmpoint/wasmpoint/xds/names"
)

// metricsAddress is where the controller serves its metrics: its usual port.
const metricsAddress = "127.0.0.1:15014"

// Metric is the value of a metric of the controller, NAME or NAME{LABEL="VALUE"}; 0 while it was not counted.
func (w *World) Metric(name string) float64 {
	w.t.Helper()
	text, err := body(&http.Client{Timeout: w.Timeouts.Request}, "http://"+metricsAddress+"/metrics")
	must(w.t, err)
	for line := range strings.Lines(text) {
		if value, is := strings.CutPrefix(strings.TrimSpace(line), name+" "); is {
			number, err := strconv.ParseFloat(value, 64)
			must(w.t, err)
			return number
		}
	}
	return 0
}

// MustTell waits until one line of the controller's log has all of these parts.
func (w *World) MustTell(parts ...string) {
	w.t.Helper()
	w.Eventually(fmt.Sprintf("the controller's log says %q", parts), func() string {
		raw, err := os.ReadFile(w.ControllerLog)
		must(w.t, err)
		near := "no line has even the first of it"
		for line := range strings.Lines(string(raw)) {
			missing := 0
			for _, p := range parts {
				if !strings.Contains(line, p) {
					missing++
				}
			}
			if missing == 0 {
				return ""
			}
			if strings.Contains(line, parts[0]) {
				near = "the last line with the first of it: " + line
			}
		}
		return near
	})
}

// MustRefuse starts a proxy and waits until the controller has refused it: the log says so with these parts, by which the line
// must be known among those of other tests, a metric counts it, and the proxy has nothing of its Gateway.
func (w *World) MustRefuse(p *Proxy, reason string, start func(), parts ...string) {
	w.t.Helper()
	metric := fmt.Sprintf("wasmpoint_proxies_refused_total{reason=%q}", reason)
	before := w.Metric(metric)
	start()
	w.MustTell(append([]string{"proxy refused"}, parts...)...)
	w.Eventually("the refusal is counted", func() string {
		if now := w.Metric(metric); now <= before {
			return fmt.Sprintf("%s was %v, and is %v", metric, before, now)
		}
		return ""
	})
	if config := p.Config(); strings.Contains(config, names.Prefix+"/listener/") {
		w.t.Errorf("proxy %s was refused, and has listeners: %s", p.Name, config)
	}
	p.Stop()
}

// Config is all that the Envoy was told and has, as its admin endpoint shows it.
func (p *Proxy) Config() (text string) {
	p.w.t.Helper()
	hc := &http.Client{Timeout: p.w.Timeouts.Request}
	eventually(p.w.t, p.w.Timeouts.Ready, "proxy "+p.Name+" shows its configuration", func() (bool, string) {
		var err error
		text, err = body(hc, "http://"+p.admin+"/config_dump?include_eds")
		return err == nil && strings.Contains(text, `"configs"`), fmt.Sprint(err)
	})
	return text
}

// Stat is a counter or gauge of the Envoy.
func (p *Proxy) Stat(name string) int {
	p.w.t.Helper()
	text, err := body(&http.Client{Timeout: p.w.Timeouts.Request}, "http://"+p.admin+"/stats?filter=^"+regexp.QuoteMeta(name)+"$")
	must(p.w.t, err)
	value, is := strings.CutPrefix(strings.TrimSpace(text), name+": ")
	if !is {
		p.w.t.Fatalf("proxy %s has no stat %s: %q", p.Name, name, text)
	}
	number, err := strconv.Atoi(value)
	must(p.w.t, err)
	return number
}

func body(hc *http.Client, url string) (string, error) {
	response, err := hc.Get(url)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	return string(raw), err
}
