// Package metrics names everything that the controller counts, and registers it with controller-runtime's registry.
package metrics

import (
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/wasmpoint/wasmpoint/xds/server"
)

var (
	proxies = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "wasmpoint_proxies", Help: "Proxies that are connected to this replica.",
	})
	pushes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wasmpoint_xds_pushes_total", Help: "Responses sent to proxies, by resource type, and whether through a prefetch lane.",
	}, []string{"type", "lane"})
	refusals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wasmpoint_xds_refusals_total", Help: "Responses that proxies refused. In a lane the first refusal of a module is usual.",
	}, []string{"type", "lane"})
	serves = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wasmpoint_module_serves_total", Help: "Modules that proxies fetched from this replica, whole or not.",
	}, []string{"complete"})
	refused = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wasmpoint_proxies_refused_total", Help: "Streams that were refused because of who opened them, by reason.",
	}, []string{"reason"})
	foreign = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "wasmpoint_foreign_subscriptions_total", Help: "Slots of other Gateways that proxies asked for, and did not get.",
	})
	unsealed = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "wasmpoint_module_requests_refused_total", Help: "Requests for modules without the secret part of the address, or with a wrong one.",
	})
	leader = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "wasmpoint_leader", Help: "1 while this replica leads.",
	})
	fresh = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "wasmpoint_fresh", Help: "0 while this replica has no word from the API server and takes no new proxies.",
	})
	writes = prometheus.NewDesc("wasmpoint_status_writes_total", "Writes of status by result; skipped are those where nothing differed.", []string{"result"}, nil)
)

func init() {
	ctrlmetrics.Registry.MustRegister(proxies, pushes, refusals, serves, refused, foreign, unsealed, leader, fresh)
}

// Hooks count what an xDS server does.
func Hooks() server.Hooks {
	return server.Hooks{
		Connected: func(by int) { proxies.Add(float64(by)) },
		Pushed:    func(url string, lane bool) { pushes.WithLabelValues(short(url), strconv.FormatBool(lane)).Inc() },
		Refused:   func(url string, lane bool) { refusals.WithLabelValues(short(url), strconv.FormatBool(lane)).Inc() },
		Fetched:   func(complete bool) { serves.WithLabelValues(strconv.FormatBool(complete)).Inc() },
		Foreign:   foreign.Inc,
	}
}

// ProxyRefused counts a stream that was refused because of who opened it.
func ProxyRefused(reason string) { refused.WithLabelValues(reason).Inc() }

// ModuleRefused counts a request for a module whose address nobody gave out.
func ModuleRefused() { unsealed.Inc() }

// short is the message's name of a type URL.
func short(url string) string { return url[strings.LastIndexByte(url, '.')+1:] }

// Leads tells whether this replica leads.
func Leads(is bool) { set(leader, is) }

// Fresh tells whether this replica hears the API server.
func Fresh(is bool) { set(fresh, is) }

func set(g prometheus.Gauge, is bool) {
	if is {
		g.Set(1)
		return
	}
	g.Set(0)
}

// Counts are a publisher's, by result.
type Counts func() (written, conflicts, errors, skipped int64)

// Describe implements prometheus.Collector.
func (c Counts) Describe(ch chan<- *prometheus.Desc) { ch <- writes }

// Collect implements prometheus.Collector.
func (c Counts) Collect(ch chan<- prometheus.Metric) {
	written, conflicts, errors, skipped := c()
	for result, n := range map[string]int64{"written": written, "conflict": conflicts, "error": errors, "skipped": skipped} {
		ch <- prometheus.MustNewConstMetric(writes, prometheus.CounterValue, float64(n), result)
	}
}

// Register adds a publisher's counts; the returned function takes them out again.
func (c Counts) Register() (remove func()) {
	p := &c // a collector is known by its pointer
	if err := ctrlmetrics.Registry.Register(p); err != nil {
		return func() {} // another replica of this process has the name: tests alone run several
	}
	return func() { ctrlmetrics.Registry.Unregister(p) }
}
