package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wasmpoint/wasmpoint/controllers/explain"
	"github.com/wasmpoint/wasmpoint/controllers/files"
)

func newExplainCommand() *cobra.Command {
	var (
		paths  []string
		output string
		root   string
	)
	cmd := &cobra.Command{
		Use:   "explain -f FILE|DIR ...",
		Short: "Show which plugins run where, in which order, and why others do not",
		Long: `Explain reads manifests, starts nothing, and prints every place where plugins can run (a listener of an ingress
gateway, a port of a Service behind a waypoint) with its plugins in order, and every plugin with a verdict per target.

A file that cannot be read in full is an error: all problems go to standard error, and the exit code is 1.`,
		Example: `  # what do the manifests of this folder and its subfolders do?
  wasmpoint explain -f manifests/samples/bookinfo

  # the same for programs
  wasmpoint explain -f manifests/samples/bookinfo -o json

  # what does a cluster do?
  kubectl get gateways,services,namespaces,wasmplugins -A -o yaml | wasmpoint explain -f -`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(paths) == 0 {
				return errors.New("nothing to explain; name files or folders with -f, or - for standard input")
			}
			if !slices.Contains(explain.Formats, output) {
				return fmt.Errorf("output format %q is unknown; use one of %s", output, strings.Join(explain.Formats, ", "))
			}
			loaded := files.LoadWith(cmd.InOrStdin(), paths...)
			for _, note := range loaded.Notes {
				fmt.Fprintln(cmd.ErrOrStderr(), "note:", note)
			}
			for _, err := range loaded.Errors {
				fmt.Fprintln(cmd.ErrOrStderr(), err)
			}
			if n := len(loaded.Errors); n > 0 {
				return fmt.Errorf("%d problem(s) in the manifests, see above; nothing is explained until they are corrected", n)
			}
			result, err := explain.Objects(loaded.All(), root)
			if err != nil {
				return err
			}
			return explain.Write(cmd.OutOrStdout(), result, output)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&paths, "filename", "f", nil, "a file or folder to read, with its subfolders; - is standard input; may be repeated")
	flags.StringVarP(&output, "output", "o", "table", "table, json or yaml")
	flags.StringVar(&root, "root-namespace", "istio-system", "the namespace whose plugins may reach all others")
	return cmd
}
