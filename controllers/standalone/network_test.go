package standalone

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/wasmpoint/wasmpoint/controllers/addresses"
	"github.com/wasmpoint/wasmpoint/controllers/files"
)

// gatewayWith is a Gateway with HTTP listeners on these ports.
func gatewayWith(name string, ports ...int) string {
	out := "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: " + name + "}\nspec:\n  gatewayClassName: wasmpoint\n  listeners:\n"
	for _, p := range ports {
		out += fmt.Sprintf("  - {name: p%d, port: %d, protocol: HTTP}\n", p, p)
	}
	return out
}

func load(t *testing.T, manifest string) *files.Objects {
	t.Helper()
	file := filepath.Join(t.TempDir(), "m.yaml")
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	r := files.Load(file)
	if len(r.Errors) > 0 {
		t.Fatal(r.Errors)
	}
	return &r.Objects
}

func TestShiftedPortsOfOneGatewayDoNotMeet(t *testing.T) {
	block, err := addresses.ParseBlock(addresses.DefaultBlock)
	if err != nil {
		t.Fatal(err)
	}
	n := network{offset: 8000}
	first, moved, err := n.allocate(block, load(t, gatewayWith("a", 80)+gatewayWith("b", 8080)+gatewayWith("c", 443)))
	if err != nil || len(moved) > 0 {
		t.Fatal(moved, err)
	}
	if first.Port(80) != 8080 || first.Port(8080) != 8080 || first.Port(443) != 8443 || first.Port(22) != 8022 {
		t.Errorf("on addresses of their own: 80 is on %d, 8080 on %d, 443 on %d", first.Port(80), first.Port(8080), first.Port(443))
	}
	next, moved, err := first.allocate(block, load(t, gatewayWith("a", 80)+gatewayWith("b", 80, 8080)+gatewayWith("c", 443)))
	if err != nil {
		t.Fatal(err)
	}
	if next.Port(80) != 8081 || next.Port(8080) != 8080 {
		t.Errorf("80 is on %d, 8080 on %d", next.Port(80), next.Port(8080))
	}
	if len(moved) != 2 || moved[0].Name != "a" || moved[1].Name != "b" {
		t.Errorf("moved are %v, want a and b, whose port 80 is elsewhere now", moved)
	}
}
