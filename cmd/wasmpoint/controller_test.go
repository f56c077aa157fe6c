package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/wasmpoint/wasmpoint/controllers/cluster"
)

func TestAFlagGoesBeforeTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	content := "apiVersion: config.wasmpoint.dev/v1alpha1\nkind: ControllerConfig\nrootNamespace: mesh\nstaleAfter: 20s\npeers: {static: [\"10.0.0.1:1\"]}\n"
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	c := cluster.Default()
	flags := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	bindControllerFlags(flags, &c)
	if err := flags.Parse([]string{"--stale-after", "40s", "--peer", "10.0.0.2:2"}); err != nil {
		t.Fatal(err)
	}
	if err := loadUnder(flags, file, &c); err != nil {
		t.Fatal(err)
	}
	if c.RootNamespace != "mesh" || c.StaleAfter.Duration != 40*time.Second || strings.Join(c.Peers.Static, " ") != "10.0.0.2:2" {
		t.Errorf("rootNamespace %s, staleAfter %s, peers %v", c.RootNamespace, c.StaleAfter.Duration, c.Peers.Static)
	}
}

func TestAControllerThatCannotStartSaysWhatToDo(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "kubeconfig")
	for want, args := range map[string][]string{
		"--kubeconfig":                                                {"--kubeconfig", empty},
		`staleAfter 1s: must be at least 20s`:                         {"--stale-after", "1s"},
		`moduleDir "/x" holds dataDir`:                                {"--module-dir", "/x", "--data-dir", "/x/y"},
		`moduleDir "x": name a folder by its absolute path`:           {"--module-dir", "x"},
		`log level "loud" is unknown; use debug, info, warn or error`: {"--log-level", "loud"},
		`xds.address "x": give HOST:PORT or :PORT`:                    {"--xds-addr", "x"},
		`hostEnv[1] "a-b": name a variable`:                           {"--host-env", "A*,a-b"},
		`xds.address "0.0.0.0:15010" is not a loopback address, and without TLS nothing leaves this machine; set tls.enabled to true, or give 127.0.0.1:15010`: {
			"--xds-addr", "0.0.0.0:15010",
		},
		`modules.address "[2001:db8::1]:1" is not a loopback address`: {"--modules-addr", "[2001:db8::1]:1"},
		`peers.address "wasmpoint.test:2" is not a loopback address`:  {"--peers-addr", "wasmpoint.test:2"},
		"provisioning.enabled is true and tls.enabled false":          {"--provisioning"},
		"no such file or directory":                                   {"--config", "/nowhere/c.yaml"},
	} {
		code, _, errs := command(append([]string{"controller", "--data-dir", t.TempDir(), "--provisioning=false", "--tls=false"}, args...)...)
		if code != 1 || !strings.Contains(errs, want) {
			t.Errorf("%v: exit code %d, %q; want it to say %q", args, code, strings.TrimSpace(errs), want)
		}
	}
}

func TestWithoutTLSPortsAloneAreOnLoopback(t *testing.T) {
	nothing := func(string) string { return "" }
	plain, secure := cluster.Default(), cluster.Default()
	plain.TLS.Enabled, plain.Provisioning.Enabled = false, false
	plain.Peers.Address = "localhost:15012"
	for _, c := range []*cluster.Config{&plain, &secure} {
		if err := c.Complete(nothing, os.Hostname); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := plain.XDS.Address+" "+plain.Modules.Address+" "+plain.Peers.Address, "127.0.0.1:15010 127.0.0.1:15011 localhost:15012"; got != want {
		t.Errorf("without TLS %s, want %s", got, want)
	}
	if got, want := secure.XDS.Address+" "+secure.Modules.Address+" "+secure.Peers.Address, ":15010 :15011 :15012"; got != want {
		t.Errorf("with TLS %s, want %s", got, want)
	}
}
