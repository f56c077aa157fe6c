package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// options are all that the image depends on, beside the sources and the Go release.
type options struct {
	// source is the folder of the main module.
	source string
	// version and revision go into labels and SBOM.
	version, revision string
	// date is the time of all files, and of the image's creation.
	date time.Time
}

// fromGit fills in what is empty. A negative date means: SOURCE_DATE_EPOCH (reproducible-builds.org), or the commit's.
func (o *options) fromGit(ctx context.Context, date int64) error {
	if o.version == "" {
		v, err := git(ctx, o.source, "describe", "--tags", "--always", "--dirty")
		if err != nil {
			return fmt.Errorf("the version is unknown: %w; name it with -version", err)
		}
		o.version = v
	}
	if o.revision == "" {
		r, err := git(ctx, o.source, "rev-parse", "HEAD")
		if err != nil {
			return fmt.Errorf("the revision is unknown: %w; name it with -revision", err)
		}
		o.revision = r
	}
	if date < 0 {
		text, from := os.Getenv("SOURCE_DATE_EPOCH"), "SOURCE_DATE_EPOCH"
		if text == "" {
			var err error
			if text, err = git(ctx, o.source, "show", "--no-patch", "--format=%ct", "HEAD"); err != nil {
				return fmt.Errorf("the time of the commit is unknown: %w; name it with -date", err)
			}
			from = "git"
		}
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%s: %q is no number of seconds since 1970; correct it or use -date", from, text)
		}
		date = seconds
	}
	o.date = time.Unix(date, 0).UTC()
	return nil
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}
