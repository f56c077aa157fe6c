package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wasmpoint/wasmpoint/controllers/cluster"
	"github.com/wasmpoint/wasmpoint/controllers/eventlog"
)

func newControllerCommand() *cobra.Command {
	c := cluster.Default()
	var file string
	cmd := &cobra.Command{
		Use:   "controller",
		Short: "Run the controller of a cluster: watch the API server, serve proxies, write status",
		Long: `Controller watches WasmPlugins, TrafficExtensions, Gateways, routes and Services of a Kubernetes cluster, keeps every
connected Envoy running the right plugins, and writes to each plugin's status where it was accepted and on how many proxies
it runs. Any number of replicas answer proxies; one of them, the leader, writes.

It needs the CRDs of manifests/crd and the permissions of manifests/rbac. CRDs that are missing are picked up when they appear.`,
		Example: `  # in a cluster: see manifests/install.yaml

  # on a laptop, against the cluster of the current kubeconfig
  wasmpoint controller --kubeconfig ~/.kube/config --namespace default --provisioning=false --tls=false \
    --proxy-authentication=none --data-dir /tmp/wasmpoint --log-format text

  # with a file, and one value of it changed
  wasmpoint controller --config controller.yaml --log-level debug`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := loadUnder(cmd.Flags(), file, &c); err != nil {
				return err
			}
			if err := c.Complete(os.Getenv, os.Hostname); err != nil {
				return err
			}
			logger, err := newControllerLogger(cmd.ErrOrStderr(), c.Log)
			if err != nil {
				return err
			}
			cluster.SetLogger(logger)
			collectOften()
			return cluster.Run(cmd.Context(), c, logger)
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "a file with the configuration ("+cluster.ConfigAPIVersion+", "+cluster.ConfigKind+"); flags go before it")
	bindControllerFlags(cmd.Flags(), &c)
	return cmd
}

// bindControllerFlags makes flags of what is set by hand most often; their defaults are the configuration's.
func bindControllerFlags(f *pflag.FlagSet, c *cluster.Config) {
	f.StringVar(&c.Kubeconfig, "kubeconfig", c.Kubeconfig, "how to reach the API server (default: KUBECONFIG, then the Pod's own credentials)")
	f.StringVar(&c.Namespace, "namespace", c.Namespace, "the controller's own namespace (default: POD_NAMESPACE, then wasmpoint-system)")
	f.StringVar(&c.Replica, "replica", c.Replica, "this replica's name (default: POD_NAME, then the host's name)")
	f.StringVar(&c.RootNamespace, "root-namespace", c.RootNamespace, "the namespace whose plugins may reach all others")
	f.BoolVar(&c.ClassAliases, "class-aliases", c.ClassAliases, "program Gateways of the classes istio and istio-waypoint too; not beside an istiod")
	f.StringVar(&c.DataDir, "data-dir", c.DataDir, "where fetched modules are kept")
	f.StringVar(&c.ModuleDir, "module-dir", c.ModuleDir, "the folder below which file:// URLs may name modules (default: no files)")
	f.StringSliceVar(&c.HostEnv, "host-env", c.HostEnv, "the variables of proxies that plugins may read, NAME or PREFIX*; may be repeated")
	f.DurationVar(&c.WaitForModule.Duration, "wait-for-module", c.WaitForModule.Duration, "how long a new plugin waits for its module before its fail strategy acts")
	f.DurationVar(&c.StaleAfter.Duration, "stale-after", c.StaleAfter.Duration, "how long the API server may be silent before this replica takes no new proxies and pushes nothing")
	f.StringVar(&c.WaypointListen, "waypoint-listen", c.WaypointListen, "where waypoints take connections: loopback (ztunnel hands them over) or pod")
	f.StringToStringVar(&c.Mirrors, "mirror", c.Mirrors, "take modules of a registry from another one, HOST=HOST[:PORT]; may be repeated")
	f.StringVar(&c.XDS.Address, "xds-addr", c.XDS.Address, "where xDS is served")
	f.StringVar(&c.Modules.Address, "modules-addr", c.Modules.Address, "where modules are served to the proxies")
	f.StringVar(&c.Peers.Address, "peers-addr", c.Peers.Address, "where other replicas ask what the proxies of this one run")
	f.StringVar(&c.Peers.Service, "peers-service", c.Peers.Service, "the headless Service by which replicas find each other")
	f.StringSliceVar(&c.Peers.Static, "peer", c.Peers.Static, "another replica's peers address, HOST:PORT, instead of the Service's endpoints; may be repeated")
	f.StringVar(&c.Metrics.Address, "metrics-addr", c.Metrics.Address, "where Prometheus metrics are served; 0: not at all")
	f.StringVar(&c.Health.Address, "health-addr", c.Health.Address, "where /healthz and /readyz are served; 0: not at all")
	f.StringVar(&c.Admin.Address, "admin-addr", c.Admin.Address, "where status and profiles are served, on loopback; 0: not at all")
	f.BoolVar(&c.Provisioning.Enabled, "provisioning", c.Provisioning.Enabled, "make proxies for Gateways of our classes: Deployments, Services and so on")
	f.StringVar(&c.Provisioning.Image, "proxy-image", c.Provisioning.Image, "the proxies' image, an Envoy 1.39 or later")
	f.StringVar(&c.Provisioning.XDSAddress, "proxy-xds-addr", c.Provisioning.XDSAddress, "where proxies reach this controller's xDS, HOST:PORT (default: its Service)")
	f.StringVar(&c.Provisioning.ModulesAddress, "proxy-modules-addr", c.Provisioning.ModulesAddress, "where proxies reach this controller's module server, HOST:PORT (default: its Service)")
	f.BoolVar(&c.TLS.Enabled, "tls", c.TLS.Enabled, "serve xDS, modules and peers over TLS; false: in plain text, on loopback alone")
	f.StringVar(&c.Proxies.Authentication, "proxy-authentication", c.Proxies.Authentication, "required: a proxy shows the token of its Pod, or a certificate; none: its own word counts, for trials alone")
	f.BoolVar(&c.LeaderElection.Enabled, "leader-elect", c.LeaderElection.Enabled, "let one of several replicas write; false only for a single replica, which then does not notice that it is cut off from the API server")
	f.StringVar(&c.LeaderElection.LeaseName, "lease-name", c.LeaderElection.LeaseName, "the Lease that the leader holds")
	f.Float32Var(&c.Client.QPS, "kube-api-qps", c.Client.QPS, "requests per second to the API server, negative: no bound")
	f.IntVar(&c.Client.Burst, "kube-api-burst", c.Client.Burst, "requests at once to the API server")
	f.StringVar(&c.Log.Level, "log-level", c.Log.Level, "debug, info, warn or error")
	f.StringVar(&c.Log.Format, "log-format", c.Log.Format, "json or text")
}

// collectOften halves what the heap may grow by between two collections, unless GOGC says otherwise: a controller that has
// started changes little of what it holds, so the memory counts for more than the collections (BENCHMARKS.md).
func collectOften() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

// loadUnder reads the file into the configuration to which the flags are bound, and then sets the given flags again.
func loadUnder(flags *pflag.FlagSet, file string, c *cluster.Config) error {
	if file == "" {
		return nil
	}
	var again []func() error
	flags.Visit(func(f *pflag.Flag) {
		if list, is := f.Value.(pflag.SliceValue); is {
			given := slices.Clone(list.GetSlice())
			again = append(again, func() error { return list.Replace(given) })
			return
		}
		given := strings.Trim(f.Value.String(), "[]") // of a map, which is added to the file's
		again = append(again, func() error { return f.Value.Set(given) })
	})
	if err := c.Load(file); err != nil {
		return err
	}
	for _, set := range again {
		if err := set(); err != nil {
			return err
		}
	}
	return nil
}

func newControllerLogger(w io.Writer, l cluster.Log) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return nil, fmt.Errorf("log level %q is unknown; use debug, info, warn or error", l.Level)
	}
	switch l.Format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})), nil
	case "text":
		return slog.New(eventlog.NewHandlerAt(w, level)), nil
	}
	return nil, fmt.Errorf("log format %q is unknown; use json or text", l.Format)
}
