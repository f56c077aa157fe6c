package routes

import (
	"strings"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func TestListenersAreJudged(t *testing.T) {
	for _, c := range []struct {
		name      string
		listeners []string
		more      string
		condition string
		want      string
		valid     bool
	}{
		{
			name: "an HTTP listener is accepted", listeners: []string{plain}, valid: true, condition: "Accepted",
			want: "Accepted=True Accepted: the listener is valid",
		},
		{
			name: "a protocol that is not served says what is", listeners: []string{"{name: tcp, port: 3306, protocol: TCP}"}, condition: "Accepted",
			want: `Accepted=False UnsupportedProtocol: protocol "TCP" is not served, use HTTP or HTTPS`,
		},
		{
			name: "a port that the proxy itself has is refused", listeners: []string{"{name: x, port: 15021, protocol: HTTP}"}, condition: "Accepted",
			want: "Accepted=False PortUnavailable: port 15021 of the proxy is where the kubelet asks whether it is ready, use another one",
		},
		{
			name: "so is that of its admin endpoint", listeners: []string{"{name: x, port: 15000, protocol: HTTP}"}, condition: "Accepted",
			want: "Accepted=False PortUnavailable: port 15000 of the proxy is Envoy's admin endpoint, use another one",
		},
		{
			name: "a protocol that is not served conflicts with nothing", listeners: []string{plain, "{name: tcp, port: 80, protocol: TCP}"},
			valid: true, condition: "Conflicted", want: "Conflicted=False NoConflicts: no other listener claims the same",
		},
		{
			name: "HTTP and HTTPS on one port conflict", listeners: []string{plain, "{name: tls, port: 80, protocol: HTTPS, tls: {certificateRefs: [{name: a}]}}"},
			condition: "Conflicted", want: `Conflicted=True ProtocolConflict: listener "tls" serves HTTPS on port 80, too`,
		},
		{
			name: "equal hostnames on one port conflict", listeners: []string{"{name: x, port: 80, protocol: HTTP, hostname: a.test}", "{name: z, port: 80, protocol: HTTP, hostname: A.test}"},
			condition: "Conflicted", want: `Conflicted=True HostnameConflict: listener "z" has port 80 and hostname "a.test", too`,
		},
		{
			name: "a conflicting listener is not accepted", listeners: []string{plain, "{name: other, port: 80, protocol: HTTP}"},
			condition: "Accepted", want: `Accepted=False HostnameConflict: listener "other" has port 80 and hostname "*", too`,
		},
		{
			name: "a hostname that is none is refused", listeners: []string{"{name: x, port: 80, protocol: HTTP, hostname: 'a.*.test'}"},
			condition: "Accepted", want: `Accepted=False UnsupportedValue: hostname "a.*.test" is not a hostname`,
		},
		{
			name: "an unknown route kind is named", listeners: []string{"{name: x, port: 80, protocol: HTTP, allowedRoutes: {kinds: [{kind: TCPRoute}]}}"}, valid: true,
			condition: "ResolvedRefs", want: "ResolvedRefs=False InvalidRouteKinds: allowedRoutes.kinds: TCPRoute not supported, use HTTPRoute",
		},
		{
			name: "HTTPS without certificate is not served", listeners: []string{"{name: x, port: 443, protocol: HTTPS}"},
			condition: "ResolvedRefs", want: "ResolvedRefs=False InvalidCertificateRef: tls.certificateRefs is empty, name a Secret of type kubernetes.io/tls",
		},
		{
			name: "a missing Secret is named", listeners: []string{"{name: x, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: a}]}}"},
			condition: "ResolvedRefs", want: "ResolvedRefs=False InvalidCertificateRef: tls.certificateRefs[0]: Secret shop/a does not exist",
		},
		{
			name: "a Secret without certificate says what it needs", listeners: []string{"{name: x, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: a}]}}"},
			more:      "kind: Secret\nmetadata: {name: a, namespace: shop}",
			condition: "ResolvedRefs", want: "ResolvedRefs=False InvalidCertificateRef: tls.certificateRefs[0]: Secret shop/a: it needs the entries tls.crt and tls.key",
		},
		{
			name: "a Secret with nonsense says which entry", listeners: []string{"{name: x, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: a}]}}"},
			more:      "kind: Secret\nmetadata: {name: a, namespace: shop}\nstringData: {tls.crt: x, tls.key: y}",
			condition: "ResolvedRefs", want: "ResolvedRefs=False InvalidCertificateRef: tls.certificateRefs[0]: Secret shop/a: tls.crt holds no PEM certificate",
		},
		{
			name: "a Secret of another namespace needs a grant", listeners: []string{"{name: x, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: a, namespace: certs}]}}"},
			more:      "kind: ReferenceGrant\nmetadata: {name: g, namespace: certs}\nspec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}], to: [{group: '', kind: Secret}]}",
			condition: "ResolvedRefs", want: "ResolvedRefs=False RefNotPermitted: tls.certificateRefs[0]: no ReferenceGrant in namespace certs lets Gateways of namespace shop use Secret a",
		},
		{
			name: "with the grant the Secret is looked for", listeners: []string{"{name: x, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: a, namespace: certs}]}}"},
			more:      "kind: ReferenceGrant\nmetadata: {name: g, namespace: certs}\nspec: {from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: shop}], to: [{group: '', kind: Secret, name: a}]}",
			condition: "ResolvedRefs", want: "ResolvedRefs=False InvalidCertificateRef: tls.certificateRefs[0]: Secret certs/a does not exist",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			manifests := gatewayWith(c.listeners...)
			if c.more != "" {
				manifests += "\n---\n" + c.more
			}
			l := compile(world(t, manifests)).Listeners[0]
			if got := says(l.Conditions, c.condition); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if l.Valid != c.valid {
				t.Errorf("valid is %v", l.Valid)
			}
		})
	}
}

func TestClientCertificatesAreNotSilentlyLeftOut(t *testing.T) {
	s := world(t, gatewayWith("{name: x, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: a}]}}")+
		"\n  tls: {frontend: {default: {validation: {caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}]}}}}")
	got := says(compile(s).Listeners[0].Conditions, "Accepted")
	if !strings.HasPrefix(got, "Accepted=False UnsupportedValue: spec.tls.frontend asks for client certificates") {
		t.Error(got)
	}
}

func TestAWaypointTakesItsOwnProtocolsOnly(t *testing.T) {
	s := world(t, gatewayWith("{name: mesh, port: 15008, protocol: HBONE}", "{name: web, port: 80, protocol: HTTP}"))
	r := Compile(Input{Gateway: s.Gateway(edge), Waypoint: true}, s)
	if !r.Listeners[0].Valid || r.Listeners[1].Valid || len(r.Ports) != 0 {
		t.Errorf("got %+v", r)
	}
	want := `Accepted=False UnsupportedProtocol: protocol "HTTP" is not served, use HBONE or istio.io/PROXY (this Gateway is a waypoint)`
	if got := says(r.Listeners[1].Conditions, "Accepted"); got != want {
		t.Error(got)
	}
}

func TestTheStatusOfAGatewaySumsItsListenersUp(t *testing.T) {
	address := []gatewayv1.GatewayStatusAddress{{Value: "127.0.0.1"}}
	for _, c := range []struct {
		name      string
		listeners []string
		p         Programming
		want      []string
	}{
		{
			name: "all is well", listeners: []string{plain}, p: Programming{Done: true, Addresses: address},
			want: []string{"Accepted=True Accepted: the Gateway is valid", "Programmed=True Programmed: every connected proxy has the listeners"},
		},
		{
			name: "no address yet", listeners: []string{plain}, p: Programming{Done: true},
			want: []string{"Programmed=False AddressNotAssigned: the Gateway has no address yet"},
		},
		{
			name: "proxies are behind", listeners: []string{plain}, p: Programming{Addresses: address, Message: "0 of 1 proxies"},
			want: []string{"Programmed=False Pending: 0 of 1 proxies"},
		},
		{
			name: "no listener is valid", listeners: []string{"{name: x, port: 1, protocol: UDP}"}, p: Programming{Done: true, Addresses: address},
			want: []string{"Accepted=False ListenersNotValid: no listener is valid: x", "Programmed=False Invalid: no listener can be served, see the conditions of the listeners"},
		},
		{
			name: "some listeners are valid", listeners: []string{plain, "{name: x, port: 1, protocol: UDP}"}, p: Programming{Done: true, Addresses: address},
			want: []string{"Accepted=True ListenersNotValid: listeners not valid: x; conflicted: none; the others are served"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := compile(world(t, gatewayWith(c.listeners...))).GatewayStatus(c.p)
			for _, want := range c.want {
				if got := says(st.Conditions, want[:strings.Index(want, "=")]); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			}
			for _, cond := range st.Conditions {
				if cond.ObservedGeneration != 3 {
					t.Errorf("%s has observedGeneration %d", cond.Type, cond.ObservedGeneration)
				}
			}
		})
	}
}
