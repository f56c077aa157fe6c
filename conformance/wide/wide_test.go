package wide_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestAnUrgentChangeIsNotHeldUpByAWideOne(t *testing.T) {
	w := start(t)
	w.install()
	l := w.drive()
	alone := w.urgentChanges(10)
	behind, wides := w.behind(20)
	if r := l.Stop(); r.Failed > 0 || r.Repeated > 0 || r.OK == 0 {
		t.Errorf("requests of the urgent Service: %s", r)
	} else {
		t.Logf("requests of the urgent Service: %s", r)
	}
	t.Logf("urgent, alone:  %s", alone)
	t.Logf("urgent, behind: %s", behind)
	t.Logf("wide:           %s", wides)
}

// BenchmarkUrgentBehindWide prints the figures; run it with -benchtime 1x on an idle machine.
func BenchmarkUrgentBehindWide(b *testing.B) {
	w := start(b)
	empty := w.rss()
	w.install()
	for b.Loop() {
		var wides times
		for range 5 {
			wides = append(wides, w.changeEverywhere())
		}
		alone := w.urgentChanges(100)
		l := w.drive()
		behind, widesBehind := w.behind(200)
		report := l.Stop()
		if report.Failed > 0 || report.Repeated > 0 {
			b.Errorf("requests of the urgent Service: %s", report)
		}
		b.Logf("%d Services at one waypoint, time from file write to effect on requests\n"+
			"urgent, alone        %s\nurgent, behind wide  %s\nwide, alone          %s\nwide, beside urgent  %s\n"+
			"load on the urgent Service: %s\nEnvoy's memory: %.0f MB without plugins, %.0f MB at the end",
			services, alone, behind, wides, widesBehind, report, empty, w.rss())
		b.ReportMetric(alone.at(0.5), "alone-p50-ms")
		b.ReportMetric(alone.at(0.99), "alone-p99-ms")
		b.ReportMetric(behind.at(0.5), "behind-p50-ms")
		b.ReportMetric(behind.at(0.99), "behind-p99-ms")
		b.ReportMetric(wides.at(0.5), "wide-p50-ms")
		b.ReportMetric(w.rss(), "envoy-MB")
	}
}

// times are how long changes took from the file's write to their effect.
type times []time.Duration

// at is a quantile in milliseconds.
func (t times) at(q float64) float64 {
	if len(t) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t))
	return float64(sorted[int(q*float64(len(sorted)-1)+0.5)].Microseconds()) / 1000
}

func (t times) String() string {
	return fmt.Sprintf("%4d changes   p50 %7.1f   p90 %7.1f   p99 %7.1f   max %7.1f ms", len(t), t.at(0.5), t.at(0.9), t.at(0.99), t.at(1))
}

// install brings both plugins into force.
func (w *world) install() {
	w.everywhere(w.change(wide))
	w.reaches(urgentService, urgent, w.change(urgent), time.Millisecond)
}

// changeEverywhere changes the wide plugin and waits for all Services.
func (w *world) changeEverywhere() time.Duration {
	begin := time.Now()
	w.everywhere(w.change(wide))
	return time.Since(begin)
}

// urgentChanges changes the urgent plugin n times, at moments that have nothing to do with the wide plugin's.
func (w *world) urgentChanges(n int) times {
	var out times
	random := rand.New(rand.NewPCG(1, 2))
	for range n {
		time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
		begin := time.Now()
		w.reaches(urgentService, urgent, w.change(urgent), time.Millisecond)
		out = append(out, time.Since(begin))
	}
	return out
}

// behind makes n urgent changes while the wide plugin changes again as soon as it is in force everywhere.
func (w *world) behind(n int) (urgentTimes, wideTimes times) {
	stop, done := make(chan struct{}), make(chan times)
	go func() {
		var out times
		for {
			out = append(out, w.changeEverywhere())
			select {
			case <-stop:
				done <- out
				return
			default:
			}
		}
	}()
	urgentTimes = w.urgentChanges(n)
	close(stop)
	return urgentTimes, <-done
}
