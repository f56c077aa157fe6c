package controller

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	testcluster "github.com/wasmpoint/wasmpoint/conformance/cluster"
)

func TestEveryLineOfFiveMinutesOnAClusterWorks(t *testing.T) {
	root := filepath.Join("..", "..")
	raw, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(raw), "## Five minutes on a cluster")
	_, section, _ = strings.Cut(section, "```sh\n")
	script, _, found := strings.Cut(section, "```")
	if !found {
		t.Fatal("the README has no such section")
	}
	c := testcluster.Start(t, testcluster.WithoutAnyCRD())
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", "set -m\n"+script)
	cmd.Dir = root
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 10 * time.Second // the commands in the background hold the pipe
	kubectl := filepath.Dir(testcluster.Binary(t, "kubectl"))
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig(), "PATH="+kubectl+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"wasmplugin.extensions.istio.io/basic-auth condition met", "1/1 proxies run it", "\n401\n404\n",
		"TARGETS                    PHASE   PRIORITY   ACCEPTED   PROGRAMMED   MODULE         AGE",
		"Gateway/bookinfo-gateway   AUTHN              True       True",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output does not say %q:\n%s", want, out)
		}
	}
}
