package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// architectures of the image, in the order of the index.
var architectures = []string{"amd64", "arm64"}

// compile writes the static binary for linux on arch to path.
func compile(ctx context.Context, source, arch, path string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags=grpcnotrace", "-ldflags=-s -w -buildid=", "-o", path, "./cmd/wasmpoint")
	cmd.Dir = source
	// Settings of whoever builds must not show in the binary.
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); !strings.HasPrefix(name, "GOFLAGS") && !strings.HasPrefix(name, "GOEXPERIMENT") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build for linux/%s: %w\n%s", arch, err, out)
	}
	return nil
}
