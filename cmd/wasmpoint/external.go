package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// externalFlags are those of `wasmpoint bootstrap --external` and `--for istio`.
type externalFlags struct {
	external                                bool
	target, selector, namespace, name, away string
	at                                      []string
	kind                                    string
	ads                                     bool
}

// only are the flags that mean nothing for a managed proxy.
var onlyExternal = []string{"at", "kind", "when-away", "ads"}

// onlyIstio are those that mean nothing without --for istio.
var onlyIstio = []string{"selector", "namespace", "name"}

func (x *externalFlags) add(f *pflag.FlagSet) {
	f.BoolVar(&x.external, "external", false, "print the pieces to paste into the bootstrap of an Envoy that somebody else programs")
	f.StringVar(&x.target, "for", "", "istio: print the EnvoyFilter and the bootstrap override for proxies that Istio programs")
	f.StringSliceVar(&x.at, "at", nil, "a listener that is to have slots: SIDE:PORT, SIDE one of gateway, inbound, outbound and PORT 0 for one that no match.ports names; "+
		"with --gateway the PORT alone (may be repeated)")
	f.StringVar(&x.kind, "kind", "http", "the slots there: http, network or both")
	f.StringVar(&x.away, "when-away", "closed", "what a listener does as long as the controller was never reached: closed, it waits; open, it opens without plugins")
	f.BoolVar(&x.ads, "ads", false, "all slots come over the proxy's ADS stream, for an Envoy without another control plane; otherwise each has a stream of its own")
	f.StringVar(&x.selector, "selector", "", "with --for istio: the labels of the Pods, KEY=VALUE[,…] (default with --gateway: those of its Pods)")
	f.StringVar(&x.namespace, "namespace", "", "with --for istio: the namespace of the Pods (default with --gateway: the Gateway's)")
	f.StringVar(&x.name, "name", "wasmpoint", "with --for istio: the name of the EnvoyFilter and the ConfigMap")
}

// wanted tells whether another form than a whole bootstrap is asked for, and refuses flags that do not go together.
func (x *externalFlags) wanted(f *pflag.FlagSet) (bool, error) {
	is := x.external || x.target != ""
	switch {
	case x.external && x.target != "":
		return false, errors.New("--external and --for exclude each other; --for istio prints all that is needed there")
	case x.target != "" && x.target != "istio":
		return false, fmt.Errorf("--for %q: istio is the only one; for any other Envoy use --external", x.target)
	}
	for _, name := range onlyIstio {
		if x.target == "" && f.Changed(name) {
			return false, fmt.Errorf("--%s goes with --for istio alone", name)
		}
	}
	for _, name := range onlyExternal {
		if !is && f.Changed(name) {
			return false, fmt.Errorf("--%s goes with --external or --for istio alone; a proxy of ours gets its listeners from the controller", name)
		}
	}
	for _, name := range []string{"id", "admin", "ready"} {
		if is && f.Changed(name) {
			return false, fmt.Errorf("--%s is for a whole bootstrap; with --external and --for it stands in the bootstrap that the pieces go into", name)
		}
	}
	return is, nil
}

// print prints the pieces. gateway is zero without --gateway.
func (x *externalFlags) print(c bootstrap.Config, gateway types.NamespacedName) ([]byte, error) {
	out := bootstrap.External{
		XDS: c.XDS, Modules: c.Modules, TLS: c.TLS, TokenFile: c.TokenFile, ADS: x.ads,
		HTTP: x.kind != "network", Network: x.kind != "http", Open: x.away == "open",
	}
	switch {
	case x.kind != "http" && x.kind != "network" && x.kind != "both":
		return nil, fmt.Errorf("--kind %q: use http, network or both", x.kind)
	case x.away != "open" && x.away != "closed":
		return nil, fmt.Errorf("--when-away %q: use closed or open", x.away)
	case len(x.at) == 0:
		return nil, errors.New("--at is missing: name each listener that is to have slots, such as --at gateway:8080, or --gateway NAMESPACE/NAME --at 8080")
	case x.target == "istio" && x.ads:
		return nil, errors.New("--ads does not go with --for istio: the ADS stream of these proxies is Istio's")
	case x.target == "istio" && c.TokenFile == "":
		return nil, errors.New("--token-file is missing: proxies in Pods are known by their tokens alone; name a path, such as /var/run/secrets/wasmpoint.dev/token")
	}
	for _, at := range x.at {
		scope, err := readAt(at, gateway)
		if err != nil {
			return nil, err
		}
		out.Scopes = append(out.Scopes, scope)
	}
	if x.target == "" {
		return out.YAML()
	}
	istio := bootstrap.Istio{External: out, Namespace: x.namespace, Name: x.name}
	if gateway.Name != "" {
		istio.Namespace, istio.Selector = gateway.Namespace, bootstrap.PodsOf(gateway)
		if x.namespace != "" && x.namespace != gateway.Namespace {
			return nil, fmt.Errorf("--namespace %q: the Pods of Gateway %s are in its own namespace; leave the flag out", x.namespace, gateway)
		}
	}
	if x.selector != "" {
		var err error
		if istio.Selector, err = bootstrap.ParseSelector(x.selector); err != nil {
			return nil, fmt.Errorf("--%w", err)
		}
	}
	if istio.Namespace == "" || istio.Selector == nil {
		return nil, errors.New("--namespace and --selector must say which Pods it is for, such as --namespace istio-system --selector istio=ingressgateway, or name a --gateway")
	}
	return istio.YAML()
}

// readAt reads SIDE:PORT, or PORT at a Gateway.
func readAt(at string, gateway types.NamespacedName) (s model.Scope, err error) {
	s.Gateway = gateway
	side, number, two := strings.Cut(at, ":")
	if gateway.Name != "" {
		if two {
			return s, fmt.Errorf("--at %q: with --gateway give the listener's port alone, such as --at 8080", at)
		}
		number = side
	} else if s.Side = model.Side(side); !two || !s.Side.Known() {
		return s, fmt.Errorf("--at %q: give SIDE:PORT with the side gateway, inbound or outbound, such as --at inbound:8080; with --gateway the port alone", at)
	}
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil || port == 0 && gateway.Name != "" {
		return s, fmt.Errorf("--at %q: %q is no port; use 1 to 65535, or 0 for a slot that no match.ports names", at, number)
	}
	s.Port = int32(port)
	return s, nil
}
