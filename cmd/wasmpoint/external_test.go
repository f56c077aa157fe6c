package main

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestAnExternalBootstrapPrintsThePiecesToPaste(t *testing.T) {
	code, out, errs := command("bootstrap", "--external", "--at", "inbound:8080", "--at", "outbound:0", "--kind", "both", "--xds", "127.0.0.1:1234")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	var printed struct {
		Clusters, Listeners []struct{ Name string }
		ADS                 any `json:"ads_config"`
		Slots               []struct {
			Place   string
			HTTP    []struct{ Name string } `json:"http_filters"`
			Network []struct{ Name string } `json:"filters"`
		}
	}
	if err := yaml.Unmarshal([]byte(out), &printed); err != nil {
		t.Fatal(err)
	}
	if len(printed.Clusters) != 2 || printed.Clusters[0].Name != "wasmpoint-xds" || printed.Clusters[1].Name != "wasmpoint-modules" || len(printed.Listeners) != 1 || printed.ADS != nil {
		t.Errorf("clusters %v, listeners %v, ADS %v", printed.Clusters, printed.Listeners, printed.ADS)
	}
	if len(printed.Slots) != 2 || printed.Slots[0].Place != "inbound 8080" || printed.Slots[1].Place != "outbound 0" {
		t.Fatalf("slots %v", printed.Slots)
	}
	if s := printed.Slots[0]; len(s.HTTP) != 4 || len(s.Network) != 4 ||
		s.HTTP[0].Name != "wasmpoint/v1/external/http/inbound/8080/AUTHN" || s.Network[3].Name != "wasmpoint/v1/external/network/inbound/8080/3" {
		t.Errorf("slots %v", s)
	}
	for _, name := range []string{"wasmpoint/v1/lane/external/http/inbound/8080/AUTHN", "wasmpoint/v1/lane/external/network/outbound/0/0", "does not open (closed)"} {
		if !strings.Contains(out, name) {
			t.Errorf("%s is not in what is printed", name)
		}
	}
}

func TestAGatewaysPiecesNameItsSlotsAndOneStream(t *testing.T) {
	code, out, errs := command("bootstrap", "--external", "--gateway", "shop/edge", "--at", "80", "--ads", "--when-away", "open")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	for _, part := range []string{"wasmpoint/v1/http/shop/edge/80/AUTHN", "wasmpoint/v1/prefetch/shop/edge", "ads_config:", "apply_default_config_without_warming: true", "pass without plugins (open)"} {
		if !strings.Contains(out, part) {
			t.Errorf("%s is not in what is printed:\n%s", part, out)
		}
	}
	if strings.Contains(out, "/lane/") {
		t.Error("with --ads slots have no lanes of their own")
	}
}

func TestForIstioADeploymentIsToldWhatItNeeds(t *testing.T) {
	for want, args := range map[string][]string{
		"istio: ingressgateway":                        {"--namespace", "istio-system", "--selector", "istio=ingressgateway", "--at", "gateway:8080"},
		"gateway.networking.k8s.io/gateway-name: edge": {"--gateway", "shop/edge", "--at", "80"},
	} {
		code, out, errs := command(append([]string{"bootstrap", "--for", "istio", "--token-file", "/run/token"}, args...)...)
		if code != 0 {
			t.Fatalf("exit code %d: %s", code, errs)
		}
		for _, part := range []string{want, "kind: EnvoyFilter", "custom_bootstrap.json", "ISTIO_BOOTSTRAP_OVERRIDE", "audience: wasmpoint.dev/xds", "Not run on Istio's own proxy yet"} {
			if !strings.Contains(out, part) {
				t.Errorf("%q is not in what is printed:\n%s", part, out)
			}
		}
		if labelled := strings.Contains(out, "wasmpoint.dev/proxy: istio"); labelled == strings.Contains(want, "gateway-name") {
			t.Errorf("%v: the patch sets our label: %t", args, labelled)
		}
	}
}

func TestFlagsThatDoNotGoTogetherSayWhatToDo(t *testing.T) {
	external := []string{"bootstrap", "--external"}
	istio := []string{"bootstrap", "--for", "istio", "--token-file", "/run/token", "--at", "gateway:80"}
	with := func(first []string, more ...string) []string { return append(append([]string{}, first...), more...) }
	for want, args := range map[string][]string{
		"--cert and --key need --ca":                                              {"bootstrap", "--gateway", "a/b", "--cert", "x", "--key", "y"},
		"--external and --for exclude each other":                                 with(external, "--for", "istio"),
		`--for "linkerd": istio is the only one`:                                  {"bootstrap", "--for", "linkerd"},
		"--at is missing: name each listener":                                     external,
		`--at "8080": give SIDE:PORT`:                                             with(external, "--at", "8080"),
		`--at "sideways:80": give SIDE:PORT`:                                      with(external, "--at", "sideways:80"),
		`--at "inbound:x": "x" is no port`:                                        with(external, "--at", "inbound:x"),
		`--at "gateway:80": with --gateway give the listener's port alone`:        with(external, "--gateway", "a/b", "--at", "gateway:80"),
		`--at "0": "0" is no port`:                                                with(external, "--gateway", "a/b", "--at", "0"),
		`--gateway "b": give NAMESPACE/NAME`:                                      with(external, "--gateway", "b", "--at", "80"),
		`--kind "tcp": use http, network or both`:                                 with(external, "--at", "inbound:80", "--kind", "tcp"),
		`--when-away "ajar": use closed or open`:                                  with(external, "--at", "inbound:80", "--when-away", "ajar"),
		"--selector goes with --for istio alone":                                  with(external, "--at", "inbound:80", "--selector", "a=b"),
		"--id is for a whole bootstrap":                                           with(external, "--at", "inbound:80", "--id", "x"),
		"--at goes with --external or --for istio alone":                          {"bootstrap", "--gateway", "a/b", "--at", "80"},
		"--ads does not go with --for istio":                                      with(istio, "--namespace", "a", "--selector", "a=b", "--ads"),
		"--namespace and --selector must say which Pods":                          istio,
		`--selector "a in (b)": give KEY=VALUE`:                                   with(istio, "--namespace", "a", "--selector", "a in (b)"),
		"--token-file is missing: proxies in Pods are known by their tokens":      {"bootstrap", "--for", "istio", "--at", "gateway:80"},
		`--namespace "c": the Pods of Gateway a/b are in its own namespace`:       {"bootstrap", "--for", "istio", "--token-file", "/run/token", "--gateway", "a/b", "--at", "80", "--namespace", "c"},
		`bootstrap: TokenFile "run/token" must be an absolute path without the c`: with(external, "--at", "inbound:80", "--token-file", "run/token"),
	} {
		if code, _, errs := command(args...); code != 1 || !strings.HasPrefix(strings.TrimSpace(errs), "wasmpoint: "+want) {
			t.Errorf("%v: exit code %d, %q; want %q", args, code, strings.TrimSpace(errs), want)
		}
	}
}
