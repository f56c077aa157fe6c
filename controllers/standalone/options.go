// Package standalone is `wasmpoint standalone`: the same engine as in a cluster, with a YAML directory as its source and
// one Envoy per Gateway as its proxies.
package standalone

import (
	"io"
	"log/slog"
	"time"
)

// Options configure Run. Dirs and DataDir are needed; other zero values mean the defaults of the command's flags.
type Options struct {
	// Dirs are files and folders with manifests.
	Dirs []string
	// EnvoyPath is the Envoy binary; "" looks for one on PATH, then for the installed one.
	EnvoyPath string
	// NoProxies starts no Envoy: somebody else runs them with a bootstrap that names the addresses below.
	NoProxies bool
	// RootNamespace is the namespace whose plugins reach every namespace.
	RootNamespace string
	// ClassAliases accepts the classes istio and istio-waypoint as ours, so that Istio's manifests run unedited.
	ClassAliases bool
	// DataDir keeps modules, last good configurations and the proxies' logs over restarts.
	DataDir string
	// XDSAddr, ModulesAddr and AdminAddr are loopback addresses to listen on; port 0 takes any free one.
	XDSAddr, ModulesAddr, AdminAddr string
	// AddressBlock is the part of 127.0.0.0/8 from which Gateways and Services get addresses.
	AddressBlock string
	// PortOffset shifts ports below 1024; addresses.AutomaticOffset shifts them only if they cannot be bound.
	PortOffset int
	// Mirrors maps a registry's host to the host[:port] to ask instead.
	Mirrors map[string]string
	// WaitForModule is how long a new plugin waits for its module, here and in a proxy, before its fail strategy acts; 0
	// means 30 s.
	WaitForModule time.Duration
	// Concurrency is the number of worker threads of each Envoy.
	Concurrency int
	// EnvoyLogLevel is Envoy's own log level.
	EnvoyLogLevel string
	// Logger gets one readable line per change of state.
	Logger *slog.Logger
	// Out, if set, is told in a few lines where things are once everything runs.
	Out io.Writer
}
