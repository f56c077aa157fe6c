package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/wasmpoint/wasmpoint/controllers/admin"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

func newStatusCommand() *cobra.Command {
	var addr, output string
	formats := []string{"table", "json", "yaml"}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what a running wasmpoint does: plugins, proxies, gateways and services",
		Long: `Status asks a running wasmpoint and prints every plugin (where it is accepted, its module, on how many of the connected
proxies it really runs, and what is wrong), every proxy, every gateway with its address, and the services behind
waypoints.`,
		Example: `  wasmpoint status

  # the plugins that do not run everywhere
  wasmpoint status -o json | jq '.plugins[] | select(.programmed | not)'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(formats, output) {
				return fmt.Errorf("output format %q is unknown; use one of %s", output, strings.Join(formats, ", "))
			}
			snapshot, err := admin.Client{Addr: addr}.Snapshot(cmd.Context())
			if err != nil {
				return err
			}
			if output == "table" {
				return status.WriteTables(cmd.OutOrStdout(), snapshot, time.Now())
			}
			body, err := json.MarshalIndent(snapshot, "", "  ")
			if output == "yaml" {
				body, err = yaml.Marshal(snapshot)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.TrimSuffix(string(body), "\n"))
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&addr, "addr", admin.DefaultAddress, "the admin address of the running wasmpoint, HOST:PORT")
	flags.StringVarP(&output, "output", "o", "table", "table, json or yaml")
	return cmd
}
