package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
)

// command runs the program and gives its exit code, output and errors.
func command(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = run(context.Background(), args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func TestABootstrapNamesTheGatewayAndTheController(t *testing.T) {
	code, out, errs := command("bootstrap", "--gateway", "default/gw", "--id", "gw-1", "--xds", "127.0.0.1:1234")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	var b struct {
		Node struct{ ID, Cluster string }
	}
	if err := json.Unmarshal([]byte(out), &b); err != nil {
		t.Fatal(err)
	}
	if b.Node.ID != "gw-1" || b.Node.Cluster != "default/gw" || !strings.Contains(out, "1234") {
		t.Errorf("bootstrap %s", out)
	}
}

func TestWrongWordsAfterBootstrapSayWhatToGive(t *testing.T) {
	for want, args := range map[string][]string{
		`wasmpoint: --gateway "": give NAMESPACE/NAME, such as default/bookinfo-gateway`:   {"bootstrap"},
		`wasmpoint: --gateway "gw": give NAMESPACE/NAME, such as default/bookinfo-gateway`: {"bootstrap", "--gateway", "gw"},
		`wasmpoint: --ca: open /nowhere/ca.crt: no such file or directory`:                 {"bootstrap", "--gateway", "a/b", "--ca", "/nowhere/ca.crt"},
		`wasmpoint: bootstrap: XDS "x" must be host:port or unix:/path: address x: missing port in address`: {
			"bootstrap", "--gateway", "a/b", "--xds", "x",
		},
	} {
		if code, _, errs := command(args...); code != 1 || strings.TrimSpace(errs) != want {
			t.Errorf("%v: exit code %d, %q; want %q", args, code, strings.TrimSpace(errs), want)
		}
	}
}
