package server_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

// A tenant that could guess the name of another's stream could say that the other's proxy fetched what it did not: its next
// refusal would count as the module's own.
func TestTheAddressOfALanesModuleNamesItsStreamByASecret(t *testing.T) {
	var log testbed.Text
	p := startAs(t, func(o *server.Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	p.set([]build.Entry{wasm("bad")}, 80)
	secrets := map[string]bool{}
	for range 2 {
		var lane *discoveryv3.DeltaDiscoveryResponse
		proxy := testbed.Connect(t, p.addr, node("default/gw"), nil)
		l := proxy.Lane(names.Prefetch(gw), func(r *discoveryv3.DeltaDiscoveryResponse) string {
			if query(t, r) == nil {
				return ""
			}
			return "Unable to create Wasm plugin"
		})
		proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, nil)
		l.Wait(5*time.Second, "the module in the lane", func() bool {
			for _, r := range l.Responses(server.TypeExtensionConfig) {
				if query(t, r) != nil {
					lane = r
				}
			}
			return lane != nil
		})
		secret := query(t, lane).Get(server.QueryProxy)
		if len(secret) < 26 || secrets[secret] {
			t.Errorf("the stream's name %q can be guessed, or came before", secret)
		}
		secrets[secret] = true
		if n := bytes.Count(lane.Resources[0].Resource.Value, []byte(secret)); n != 1 {
			t.Errorf("the secret stands %d times in the resource, want once, in the address", n)
		}
		if strings.Contains(lane.Resources[0].Version+lane.Nonce, secret) {
			t.Errorf("the version %s or nonce %s holds the secret", lane.Resources[0].Version, lane.Nonce)
		}
		testbed.Eventually(t, 5*time.Second, "the refusal is logged", func() (bool, string) {
			return strings.Contains(log.String(), "proxy refused a response"), log.String()
		})
		if strings.Contains(log.String(), secret) {
			t.Error("the log holds the secret")
		}
		if !p.server.Served("digest-of-bad", secret, true) || p.server.Served("digest-of-bad", "1", true) {
			t.Error("a fetch is told by another name than the secret")
		}
		proxy.Close()
	}
}
