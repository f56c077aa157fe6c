package suite

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	testcluster "github.com/wasmpoint/wasmpoint/conformance/cluster"
	"github.com/wasmpoint/wasmpoint/conformance/node"
	"github.com/wasmpoint/wasmpoint/conformance/suite/netns"
	"github.com/wasmpoint/wasmpoint/modules/registrytest"
)

// podNetwork is local in the suite's network namespace; addresses of Pods and Gateways that are not on the node come from
// it. The node has a block of its own (conformance/node).
const podNetwork = "10.244.128.0/17"

// Suite is one run: a cluster, a controller, a registry, and what the tests have in common.
type Suite struct {
	Options
	// run is in the name of everything that the suite makes in the cluster.
	run      string
	client   client.WithWatch
	mesh     *mesh
	registry *registrytest.Server
	urls     map[string]string
	ca       []byte
	// node runs Pods; nil in a cluster that is not the suite's own.
	node *node.Node

	mu        sync.Mutex
	addresses int
	results   map[string]Result
}

// Run runs the tests and writes the report. The process has to be inside a network namespace of its own.
func Run(t *testing.T, o Options, all []Test) {
	s := &Suite{Options: o, run: "wpc-" + rand.String(5), results: map[string]Result{}}
	if s.Kubeconfig != "" { // its nodes cannot reach the controller
		all = slices.DeleteFunc(slices.Clone(all), func(test Test) bool { return test.OnNode || test.OwnCluster })
	}
	tests := s.choose(t, all)
	s.setUp(t)
	begin := time.Now()
	s.say("running %d behaviours", len(tests))
	t.Run("behaviours", func(t *testing.T) {
		for _, test := range tests {
			t.Run(test.ShortName, func(t *testing.T) {
				t.Parallel()
				s.runOne(t, test)
			})
		}
	})
	s.About.Date = time.Now()
	report, err := NewReport(s.About, s.Supported, all, s.results)
	if err != nil {
		t.Fatal(err)
	}
	if err := report.Write(s.Report); err != nil {
		t.Fatal(err)
	}
	for _, p := range report.Report.ProfileReports {
		s.say("%s: %s", p.Name, p.Summary)
	}
	s.say("%s; the report is %s", time.Since(begin).Round(time.Second), s.Report)
}

// choose gives the tests to run.
func (s *Suite) choose(t *testing.T, all []Test) []Test {
	t.Helper()
	var out []Test
	for _, test := range all {
		if test.supportedBy(s.Supported) && (len(s.Only) == 0 || slices.Contains(s.Only, test.ShortName)) {
			out = append(out, test)
		}
	}
	for _, name := range s.Only {
		if !slices.ContainsFunc(out, func(test Test) bool { return test.ShortName == name }) {
			t.Fatalf("there is no supported test %q", name)
		}
	}
	return out
}

// setUp makes everything that the tests share, and takes it away when they have ended.
func (s *Suite) setUp(t *testing.T) {
	t.Helper()
	must(t, netns.Up())
	must(t, netns.AddLocal(podNetwork))
	if s.Kubeconfig == "" {
		s.say("starting an API server")
		c := testcluster.Start(t, testcluster.WithControllerManager(), testcluster.WithIstioCRDs())
		s.Kubeconfig = c.Kubeconfig()
		s.startNode(t, c.Config())
	}
	s.connect(t)
	s.fillRegistries(t)
	s.install(t)
	s.startMesh(t)
	s.startController(t)
	if s.node != nil {
		s.publishController(t)
	}
	s.say("the controller is ready; its log is %s", s.ControllerLog)
}

// runOne runs one test in a world of its own and notes its result.
func (s *Suite) runOne(t *testing.T, test Test) {
	begin := time.Now()
	t.Cleanup(func() { // registered first, so that it runs when all else has ended
		result, word := Passed, "ok  "
		if t.Failed() {
			result, word = Failed, "FAIL"
		}
		s.mu.Lock()
		s.results[test.ShortName] = result
		s.mu.Unlock()
		s.say("%s %-36s %5.1fs", word, test.ShortName, time.Since(begin).Seconds())
	})
	test.Test(t, s.newWorld(t, test))
}

// systemNamespace is the controller's own, rootNamespace the one whose plugins reach all others.
func (s *Suite) systemNamespace() string { return s.run + "-system" }
func (s *Suite) rootNamespace() string   { return s.run + "-root" }

// namespace makes a namespace and has it removed at the end of the test.
func (s *Suite) namespace(t *testing.T, name string, labels map[string]string) {
	t.Helper()
	n := &corev1.Namespace{}
	n.Name, n.Labels = name, map[string]string{runLabel: s.run}
	for k, v := range labels {
		n.Labels[k] = v
	}
	must(t, s.client.Create(context.Background(), n))
	t.Cleanup(func() {
		if err := s.client.Delete(context.Background(), n); client.IgnoreNotFound(err) != nil {
			t.Errorf("namespace %s is left over: %v", name, err)
		}
	})
}

// address is an address of the Pod network that nobody else has.
func (s *Suite) address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addresses++
	return net.IPv4(10, 244, byte(128+s.addresses/250), byte(1+s.addresses%250)).String()
}

func (s *Suite) say(format string, args ...any) {
	fmt.Fprintf(s.Progress, format+"\n", args...)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
