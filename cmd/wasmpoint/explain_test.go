package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const manifest = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: wasmpoint
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: auth, namespace: platform}
spec: {url: oci://registry.example/auth:1}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
`

// wasmpoint runs the program.
func wasmpoint(t *testing.T, stdin string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(context.Background(), args, strings.NewReader(stdin), &o, &e)
	return code, o.String(), e.String()
}

func TestExplainReadsFoldersAndStandardInputAndHonoursTheRootNamespace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "m.yaml"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	_, fromFolder, _ := wasmpoint(t, "", "explain", "-f", dir, "-o", "json", "--root-namespace", "platform")
	code, fromStdin, errs := wasmpoint(t, manifest, "explain", "-f", "-", "-o", "json", "--root-namespace", "platform")
	if code != 0 || fromFolder != fromStdin {
		t.Errorf("exit code %d, the two differ:\n%s\n%s", code, fromFolder, fromStdin)
	}
	if !strings.Contains(fromStdin, `"platform/auth"`) {
		t.Errorf("the plugin of the root namespace does not run:\n%s", fromStdin)
	}
	if want := "note: -:13: v1 ConfigMap: left aside, wasmpoint does not read this kind\n"; errs != want {
		t.Errorf("standard error %q, want %q", errs, want)
	}
	if _, out, _ := wasmpoint(t, manifest, "explain", "-f", "-"); !strings.Contains(out, "NoGatewayInReach") {
		t.Errorf("the plugin should reach nothing from namespace platform:\n%s", out)
	}
}

func TestExplainPrintsEveryLoadErrorAndExitsWithOne(t *testing.T) {
	t.Parallel()
	code, out, errs := wasmpoint(t, strings.ReplaceAll(manifest, "gatewayClassName", "className"), "explain", "-f", "-")
	want := `-:4: spec.gatewayClassName: is missing; name a class, such as wasmpoint or wasmpoint-waypoint
-:5: spec.className: unknown field; remove it or correct its name
wasmpoint: 2 problem(s) in the manifests, see above; nothing is explained until they are corrected
`
	if code != 1 || out != "" || errs != want {
		t.Errorf("exit code %d, output %q, errors\n%s\nwant\n%s", code, out, errs, want)
	}
}

func TestExplainSaysWhatIsWrongWithItsFlags(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"explain"}, "wasmpoint: nothing to explain; name files or folders with -f, or - for standard input\n"},
		{[]string{"explain", "-f", "-", "-o", "xml"}, "wasmpoint: output format \"xml\" is unknown; use one of table, json, yaml\n"},
		{[]string{"explain", "--colour"}, "wasmpoint: unknown flag: --colour\n"},
		{[]string{"explian"}, "wasmpoint: unknown command \"explian\" for \"wasmpoint\"\n"},
	} {
		code, _, errs := wasmpoint(t, "", tt.args...)
		if code != 1 || errs != tt.want {
			t.Errorf("%v: exit code %d, errors %q, want %q", tt.args, code, errs, tt.want)
		}
	}
}

func TestHelpHasExamples(t *testing.T) {
	t.Parallel()
	code, out, _ := wasmpoint(t, "", "explain", "--help")
	if code != 0 || !strings.Contains(out, "wasmpoint explain -f manifests/samples/bookinfo -o json") {
		t.Errorf("exit code %d, help\n%s", code, out)
	}
}
