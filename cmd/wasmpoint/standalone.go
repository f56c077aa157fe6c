package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wasmpoint/wasmpoint/controllers/addresses"
	"github.com/wasmpoint/wasmpoint/controllers/admin"
	"github.com/wasmpoint/wasmpoint/controllers/eventlog"
	"github.com/wasmpoint/wasmpoint/controllers/proxies"
	"github.com/wasmpoint/wasmpoint/controllers/standalone"
)

func newStandaloneCommand() *cobra.Command {
	o := standalone.Options{}
	var mirrors []string
	var logFormat string
	cmd := &cobra.Command{
		Use:   "standalone DIR...",
		Short: "Run gateways, waypoints and plugins on this machine from YAML files, without a cluster",
		Long: `Standalone reads the manifests of the folders, starts one Envoy per Gateway, and keeps both in step while the files
change. Every Gateway and Service gets a loopback address of its own; "wasmpoint status" shows them. A file with an error is
reported, and what it held before stays in force. Ctrl-C stops everything.

Envoy is looked for in --envoy, on PATH, and where "make tools" installs it.`,
		Example: `  wasmpoint standalone manifests/samples/bookinfo

  # take images of a registry from a local one
  wasmpoint standalone . --mirror registry.example.com=127.0.0.1:5000

  # see what plugins log
  wasmpoint standalone . --envoy-log-level warning,wasm:info`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("nothing to run; name the folders with the manifests, such as: wasmpoint standalone manifests/samples/bookinfo")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := finishOptions(&o, args, mirrors, os.UserCacheDir); err != nil {
				return err
			}
			logger, err := newLogger(cmd.ErrOrStderr(), logFormat)
			if err != nil {
				return err
			}
			o.Logger, o.Out = logger, cmd.OutOrStdout()
			return standalone.Run(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.EnvoyPath, "envoy", "", "the Envoy binary, "+proxies.MinVersion.String()+" or later")
	flags.StringVar(&o.RootNamespace, "root-namespace", "istio-system", "the namespace whose plugins may reach all others")
	flags.BoolVar(&o.ClassAliases, "class-aliases", true, "run Gateways of the classes istio and istio-waypoint too")
	flags.StringVar(&o.DataDir, "data-dir", "", "where modules, last good configurations and logs are kept (default: a folder for these DIRs under wasmpoint in the user's cache folder)")
	flags.StringVar(&o.XDSAddr, "xds-addr", "127.0.0.1:0", "where xDS is served")
	flags.StringVar(&o.ModulesAddr, "modules-addr", "127.0.0.1:0", "where modules are served to the proxies")
	flags.StringVar(&o.AdminAddr, "admin-addr", admin.DefaultAddress, "where status, health and profiles are served")
	flags.StringVar(&o.AddressBlock, "address-block", addresses.DefaultBlock, "the part of 127.0.0.0/8 from which Gateways and Services get addresses")
	flags.IntVar(&o.PortOffset, "port-offset", addresses.AutomaticOffset, fmt.Sprintf("how far ports below 1024 are moved up; %d: by %d if they cannot be bound, else not at all", addresses.AutomaticOffset, addresses.DefaultOffset))
	flags.StringArrayVar(&mirrors, "mirror", nil, "take modules of a registry from another one, HOST=HOST[:PORT]; may be repeated")
	flags.IntVar(&o.Concurrency, "concurrency", 2, "worker threads of each Envoy")
	flags.StringVar(&o.EnvoyLogLevel, "envoy-log-level", "warning", "Envoy's log level, and levels of single components, such as warning,wasm:info")
	flags.StringVar(&logFormat, "log-format", "text", "text or json")
	return cmd
}

// finishOptions checks the flags and fills in what depends on the machine.
func finishOptions(o *standalone.Options, dirs, mirrors []string, cacheDir func() (string, error)) error {
	o.Dirs = dirs
	for _, d := range dirs {
		if _, err := os.Stat(d); err != nil {
			return fmt.Errorf("manifests: %w", err)
		}
	}
	if o.DataDir == "" {
		dir, err := defaultDataDir(dirs, cacheDir)
		if err != nil {
			return err
		}
		o.DataDir = dir
	}
	if o.PortOffset < addresses.AutomaticOffset || o.PortOffset > 65535-1023 {
		return fmt.Errorf("--port-offset %d: give %d for automatic, or 0 to %d", o.PortOffset, addresses.AutomaticOffset, 65535-1023)
	}
	if o.Concurrency < 1 {
		return fmt.Errorf("--concurrency %d: an Envoy needs at least 1 worker thread", o.Concurrency)
	}
	if _, err := addresses.ParseBlock(o.AddressBlock); err != nil {
		return fmt.Errorf("--address-block: %w", err)
	}
	if _, _, err := proxies.ParseLogLevel(o.EnvoyLogLevel); err != nil {
		return fmt.Errorf("--envoy-log-level: %w", err)
	}
	o.Mirrors = make(map[string]string, len(mirrors))
	for _, m := range mirrors {
		from, to, ok := strings.Cut(m, "=")
		if !ok || from == "" || to == "" {
			return fmt.Errorf("--mirror %q: give HOST=HOST[:PORT], such as registry.example.com=127.0.0.1:5000", m)
		}
		if old, twice := o.Mirrors[from]; twice && old != to {
			return fmt.Errorf("--mirror %q: %s already has the mirror %s", m, from, old)
		}
		o.Mirrors[from] = to
	}
	return nil
}

// defaultDataDir is a folder for each set of manifest folders: what was good in one project is not for another one that
// has a plugin of the same name.
func defaultDataDir(dirs []string, cacheDir func() (string, error)) (string, error) {
	base := ".wasmpoint"
	if dir, err := cacheDir(); err == nil {
		base = filepath.Join(dir, "wasmpoint")
	}
	var list []string
	for _, d := range dirs {
		full, err := filepath.Abs(d)
		if err != nil {
			return "", fmt.Errorf("manifests: %w", err)
		}
		list = append(list, full)
	}
	slices.Sort(list)
	sum := sha256.Sum256([]byte(strings.Join(slices.Compact(list), "\x00")))
	return filepath.Join(base, hex.EncodeToString(sum[:8])), nil
}

// newLogger writes lines for people, or JSON for programs.
func newLogger(w io.Writer, format string) (*slog.Logger, error) {
	switch format {
	case "text":
		return slog.New(eventlog.NewHandler(w)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, nil)), nil
	}
	return nil, fmt.Errorf("--log-format %q is unknown; use text or json", format)
}
