package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	var (
		opts      options
		out, push string
		date      int64
	)
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.StringVar(&opts.source, "source", "..", "the folder of the main module")
	flags.StringVar(&out, "out", "../bin/image", "the folder to write the OCI layout to; what is there is replaced")
	flags.StringVar(&push, "push", "", "also push to this REPOSITORY:TAG, with the credentials of the Docker configuration")
	flags.StringVar(&opts.version, "version", "", "version for the label; by default that of git describe")
	flags.StringVar(&opts.revision, "revision", "", "commit for the label; by default HEAD")
	flags.Int64Var(&date, "date", -1, "time of all files, in seconds since 1970; by default SOURCE_DATE_EPOCH or that of the commit")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("argument %q is unknown; there are only flags", flags.Arg(0))
	}
	if err := opts.fromGit(ctx, date); err != nil {
		return err
	}
	b, err := build(ctx, opts)
	if err != nil {
		return err
	}
	if err := b.write(out); err != nil {
		return err
	}
	digest, err := b.index.Digest()
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s  %s %s, %s\n", digest, out, opts.version, opts.date.Format(time.RFC3339))
	if push == "" {
		return nil
	}
	if err := b.push(ctx, push); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "pushed to %s\n", push)
	return nil
}
