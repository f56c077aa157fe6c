package bootstrap

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/pki"
)

func good() Config {
	return Config{
		ID: "shop/edge/1", Gateway: types.NamespacedName{Namespace: "shop", Name: "edge"},
		XDS: "127.0.0.1:9000", Modules: "modules.example.com:9001", Admin: "unix:/run/envoy.sock",
		Metadata: map[string]string{"b": "2", "a": "1"},
	}
}

func TestABootstrapTellsWhoTheProxyIsAndWhereItsControllerIs(t *testing.T) {
	m, err := Message(good())
	if err != nil {
		t.Fatal(err)
	}
	if m.Node.Id != "shop/edge/1" || m.Node.Cluster != "shop/edge" || m.Node.Metadata.Fields[MetadataGateway].GetStringValue() != "edge" || m.Node.Metadata.Fields["a"].GetStringValue() != "1" {
		t.Errorf("got %v", m.Node)
	}
	if m.DynamicResources.AdsConfig.ApiType.String() != "DELTA_GRPC" || m.DynamicResources.CdsConfig.GetAds() == nil || m.DynamicResources.LdsConfig.GetAds() == nil {
		t.Errorf("got %v", m.DynamicResources)
	}
	if m.Admin.Address.GetPipe().GetPath() != "/run/envoy.sock" {
		t.Errorf("got %v", m.Admin)
	}
	for _, c := range m.StaticResources.Clusters {
		http2 := len(c.TypedExtensionProtocolOptions) == 1
		if name := c.Name; name == "wasmpoint-xds" != http2 || (c.GetType().String() == "STRICT_DNS") != (name == "wasmpoint-modules") {
			t.Errorf("got %v", c)
		}
	}
}

func TestAProxyMayHaveListenersWithinAndCountsOnlyWhatIsUsed(t *testing.T) {
	m, err := Message(good())
	if err != nil {
		t.Fatal(err)
	}
	if len(m.BootstrapExtensions) != 1 || m.BootstrapExtensions[0].TypedConfig.MessageName() != "envoy.extensions.bootstrap.internal_listener.v3.InternalListener" {
		t.Errorf("got %v; waypoints hand connections over to listeners within", m.BootstrapExtensions)
	}
	if !m.GetDeferredStatOptions().GetEnableDeferredCreationStats() {
		t.Error("statistics are made for clusters without traffic")
	}
}

func TestEqualConfigurationsGiveEqualBytes(t *testing.T) {
	first, err := JSON(good())
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, _ := JSON(good()); !bytes.Equal(first, again) {
			t.Fatal("the bytes differ")
		}
	}
}

func TestAWrongBootstrapIsRefusedByName(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.ID = "" }, "bootstrap: ID is empty, every proxy needs a name of its own"},
		{func(c *Config) { c.XDS = "nowhere" }, `bootstrap: XDS "nowhere" must be host:port or unix:/path`},
		{func(c *Config) { c.Modules = "a:b" }, `bootstrap: Modules "a:b" must be host:port or unix:/path`},
		{func(c *Config) { c.Admin = "0.0.0.0:9901" }, `bootstrap: Admin "0.0.0.0:9901" is not a loopback address`},
		{func(c *Config) { c.TokenFile, c.XDS = "/t/token", "10.0.0.1:1" },
			`bootstrap: TokenFile "/t/token": the token would go to XDS 10.0.0.1 in plain text, for everybody on the way to read; set TLS (--ca FILE)`},
		{func(c *Config) { c.TokenFile, c.XDS = "/t/token", "wasmpoint.test:1" }, `bootstrap: TokenFile "/t/token": the token would go to XDS wasmpoint.test in plain text`},
	} {
		config := good()
		c.change(&config)
		if _, err := JSON(config); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestATokenGoesOverTLSOrStaysOnTheMachine(t *testing.T) {
	cert, _, err := pki.Generate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	secure := &TLS{CA: cert, Name: "wasmpoint.wasmpoint-system.svc"}
	for xds, tls := range map[string]*TLS{
		"127.0.0.1:1": nil, "[::1]:1": nil, "localhost:1": nil, "unix:/run/xds.sock": nil, "wasmpoint.test:1": secure, "10.0.0.1:1": secure,
	} {
		config := good()
		config.TokenFile, config.XDS, config.TLS = "/t/token", xds, tls
		if _, err := JSON(config); err != nil {
			t.Errorf("%s: %v", xds, err)
		}
	}
}
