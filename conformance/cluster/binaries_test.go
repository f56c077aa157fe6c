package cluster

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// failing is a test that remembers how it failed.
type failing struct {
	testing.TB
	message string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// failure is what f fails its test with.
func failure(t *testing.T, f func(testing.TB)) string {
	t.Helper()
	tb := &failing{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(tb)
	}()
	<-done
	return tb.message
}

func TestAMissingBinaryIsNamedWithTheCommandThatBuildsIt(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("KUBEBUILDER_ASSETS", dir)
	got := failure(t, func(tb testing.TB) { Binary(tb, "kube-apiserver") })
	for _, want := range []string{"kube-apiserver is not installed", dir, "run `make kubernetes`"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q does not say %q", got, want)
		}
	}
}

func TestAMisspeltCRDIsRefusedWithTheNamesThereAre(t *testing.T) {
	got := failure(t, func(tb testing.TB) { (&Cluster{t: tb}).InstallCRDs("wasmplugin.extensions.istio.io") })
	for _, want := range []string{`CRD "wasmplugin.extensions.istio.io"`, "wasmplugins.extensions.istio.io", "httproutes.gateway.networking.k8s.io"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q does not say %q", got, want)
		}
	}
}
