// Command wasmpoint attaches plugins to gateways, waypoints and Services. Each subcommand stands in a file of its own and
// holds no logic.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main with everything that tests replace. It returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(errs, "wasmpoint:", err)
		return 1
	}
	return 0
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "wasmpoint",
		Short: "Attach WebAssembly and Lua plugins to Gateway API gateways, ambient waypoints and Services",
		Args:  cobra.NoArgs,
		// Errors are printed once, by run; a wrong flag is no reason to print pages of help.
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(newBootstrapCommand(), newControllerCommand(), newExplainCommand(), newStandaloneCommand(), newStatusCommand())
	return root
}
