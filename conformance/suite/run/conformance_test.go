//go:build conformance

// Package run is the conformance suite as a program: `make conformance`. The tag keeps it out of `go test ./...`, since it
// wants a network namespace and the controller's binary.
package run

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
	"github.com/wasmpoint/wasmpoint/conformance/suite/netns"
	"github.com/wasmpoint/wasmpoint/conformance/suite/tests"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
)

var (
	kubeconfig = flag.String("cluster", "", "the kubeconfig of a cluster to run against; default: one is started")
	controller = flag.String("controller", "bin/wasmpoint", "the wasmpoint binary to test")
	logFile    = flag.String("controller-log", "bin/conformance-controller.log", "where the controller's log goes")
	report     = flag.String("report", "bin/conformance-report.yaml", "where the report goes")
	only       = flag.String("tests", "", "the tests to run, by name and with commas between; default: all")
	exempt     = flag.String("exempt-features", "", "features that are not supported, with commas between")
	version    = flag.String("version", "dev", "the version of the binary")
	mode       = flag.String("mode", "default", "the mode of the implementation, for the report")
	contact    = flag.String("contact", "https://github.com/wasmpoint/wasmpoint/issues", "whom to ask about the report")
)

// apiServer is where the API server of -cluster is reached inside the namespace; relaySocket leads there.
const (
	apiServer  = "127.0.0.1:16443"
	relayVar   = "WASMPOINT_CONFORMANCE_RELAY"
	socketName = "api.sock"
	configName = "kubeconfig"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if netns.Inside() {
		os.Exit(m.Run())
	}
	code, err := outside()
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
	}
	os.Exit(code)
}

// outside prepares what needs the network, and runs the tests inside.
func outside() (int, error) {
	for _, m := range []wasmtest.Module{wasmtest.ModuleMarker, wasmtest.ModuleTCP, wasmtest.ModuleUnlinkable, wasmtest.ModuleBasicAuth} {
		if _, err := wasmtest.BuildFile(m); err != nil {
			return 1, fmt.Errorf("building the module %s: %w", m, err)
		}
	}
	if *kubeconfig == "" {
		return netns.Enter()
	}
	dir, err := os.MkdirTemp("", "conformance-")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	address, err := suite.RelayedKubeconfig(*kubeconfig, filepath.Join(dir, configName), apiServer)
	if err != nil {
		return 1, err
	}
	l, err := netns.Outside(filepath.Join(dir, socketName), address)
	if err != nil {
		return 1, err
	}
	defer func() { _ = l.Close() }()
	return netns.Enter(relayVar + "=" + dir)
}

func TestConformance(t *testing.T) {
	o := suite.Options{
		Controller: *controller, ControllerLog: *logFile, Report: *report, Manifests: tests.Manifests, Progress: os.Stdout,
		Timeouts: suite.DefaultTimeouts(),
		About: suite.About{
			WasmpointVersion: *version, EnvoyVersion: envoyVersion(t), Mode: *mode, Contact: *contact,
		},
	}
	if *only != "" {
		o.Only = strings.Split(*only, ",")
	}
	for _, f := range suite.AllFeatures() {
		if !strings.Contains(","+*exempt+",", ","+string(f)+",") {
			o.Supported = append(o.Supported, f)
		}
	}
	if dir := os.Getenv(relayVar); dir != "" {
		if err := netns.Up(); err != nil {
			t.Fatal(err)
		}
		l, err := netns.Within(apiServer, filepath.Join(dir, socketName))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		o.Kubeconfig = filepath.Join(dir, configName)
	}
	suite.Run(t, o, tests.All)
}

// envoyVersion reads "1.40.0" from what envoy --version prints.
func envoyVersion(t *testing.T) string {
	t.Helper()
	out, err := exec.Command(testbed.EnvoyPath(t), "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`/(\d+\.\d+\.\d+[^/]*)/`).FindSubmatch(out); m != nil {
		return string(m[1])
	}
	return strings.TrimSpace(string(out))
}
