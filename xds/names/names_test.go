package names

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

func scopes() []model.Scope {
	odd := []string{"a", "a/b", "b", "a%2Fb", "", "a b", "Service"}
	var out []model.Scope
	for _, ns := range odd {
		for _, name := range odd {
			gw := types.NamespacedName{Namespace: ns, Name: name}
			for _, port := range []int32{1, 11} {
				out = append(out,
					model.Scope{Gateway: gw, Port: port},
					model.Scope{Gateway: gw, Port: port, Service: model.ServiceKey{Kind: "Service", Namespace: name, Name: ns}},
					model.Scope{Gateway: gw, Port: port, Service: model.ServiceKey{Kind: "ServiceEntry", Namespace: name, Name: ns}})
			}
		}
	}
	for _, side := range []model.Side{model.SideGateway, model.SideInbound, model.SideOutbound} {
		for _, port := range []int32{0, 80} {
			out = append(out, model.Scope{Side: side, Port: port})
		}
	}
	return out
}

func TestNoTwoThingsShareAName(t *testing.T) {
	seen := map[string]string{}
	take := func(name, what string) {
		t.Helper()
		if before, ok := seen[name]; ok && before != what {
			t.Fatalf("%s is both %s and %s", name, before, what)
		}
		seen[name] = what
	}
	for _, s := range scopes() {
		what := s.Gateway.Namespace + "|" + s.Gateway.Name + "|" + s.Service.Kind + "|" + s.Service.Namespace + "|" + s.Service.Name + "|" + string(s.Side) + "|" + number(s.Port)
		take(Listener(s), "listener "+what)
		for i, p := range model.Phases {
			take(Slot(s, p), "http "+string(p)+what)
			take(NetworkSlot(s, i), "network "+number(int32(i))+what)
			take(Lane(Slot(s, p)), "lane http "+string(p)+what)
			take(Lane(NetworkSlot(s, i)), "lane network "+number(int32(i))+what)
			take(ExternalPrefetch, "prefetch of external proxies")
			take(Prefetch(s.Gateway), "prefetch "+s.Gateway.Namespace+"|"+s.Gateway.Name)
		}
		take(Routes(s.Gateway, s.Port, ""), "routes "+number(s.Port)+s.Gateway.Namespace+"|"+s.Gateway.Name)
		take(Cluster(s.Service, s.Port, "http"), "cluster "+s.Service.Kind+"|"+s.Service.Namespace+"|"+s.Service.Name+number(s.Port))
		take(Secret(s.Gateway), "secret "+s.Gateway.Namespace+"|"+s.Gateway.Name)
		take(ProxyListener(s.Gateway), "proxy "+s.Gateway.Namespace+"|"+s.Gateway.Name)
		take(PrefetchListener(s.Gateway), "fetcher "+s.Gateway.Namespace+"|"+s.Gateway.Name)
	}
}

func TestASlotNameCanBeReadBack(t *testing.T) {
	for _, s := range scopes() {
		for i, p := range model.Phases {
			want := []SlotName{
				{Kind: KindHTTP, External: s.Side != "", Scope: s, Phase: p},
				{Kind: KindNetwork, External: s.Side != "", Scope: s, Index: i},
				{Kind: KindPrefetch, Scope: model.Scope{Gateway: s.Gateway}},
				{Kind: KindPrefetch, External: true},
				{Kind: KindPrefetch, External: s.Side != "", Scope: model.Scope{Gateway: s.Gateway}, Of: Slot(s, p)},
				{Kind: KindPrefetch, External: s.Side != "", Scope: model.Scope{Gateway: s.Gateway}, Of: NetworkSlot(s, i)},
			}
			for _, w := range want {
				if got, err := ParseSlot(w.String()); err != nil || got != w {
					t.Fatalf("ParseSlot(%q) = %+v, %v; want %+v", w.String(), got, err, w)
				}
			}
		}
	}
}

func TestANameThatIsNoSlotIsRefused(t *testing.T) {
	gw := types.NamespacedName{Namespace: "a", Name: "b"}
	for _, name := range []string{
		"", "x", Prefix, Prefix + "/http", Listener(model.Scope{Gateway: gw, Port: 80}),
		Prefix + "/http/a/b/80", Prefix + "/http/a/b/80/NEVER", Prefix + "/http/a/b/080/AUTHN", Prefix + "/http/a/b/x/AUTHN",
		Prefix + "/network/a/b/80/4", Prefix + "/network/a/b/80/-1", Prefix + "/prefetch/a/b/4", Prefix + "/prefetch/a/b/c/0",
		Prefix + "/external/http/sideways/80/AUTHN", Prefix + "/external/http/inbound/65536/AUTHN", Prefix + "/external/http/inbound/-1/AUTHN",
		Prefix + "/external/http/inbound/80/NEVER", Prefix + "/external/http/inbound/80", Prefix + "/external/prefetch/inbound/80/AUTHN",
		Prefix + "/external", Prefix + "/external/prefetch/x", Prefix + "/lane", Prefix + "/lane/external/prefetch", Prefix + "/lane/prefetch/a/b",
		Prefix + "/lane/lane/external/http/inbound/80/AUTHN", Prefix + "/lane/http/a/b/80/NEVER",
		Prefix + "/http/a/b/Service/c/80/AUTHN", Prefix + "/http/%zz/b/80/AUTHN", "wasmpoint/v2/http/a/b/80/AUTHN",
	} {
		if got, err := ParseSlot(name); err == nil {
			t.Errorf("ParseSlot(%q) = %+v, want an error", name, got)
		}
	}
}

func TestAListenerOfAServiceAtAWaypointIsToldFromThoseOfTheGateway(t *testing.T) {
	for _, s := range scopes() {
		if got := IsServiceListener(Listener(s)); got != !s.Service.IsZero() {
			t.Errorf("%q is a Service's: %t", Listener(s), got)
		}
		for _, name := range []string{ProxyListener(s.Gateway), PrefetchListener(s.Gateway)} {
			if IsServiceListener(name) {
				t.Errorf("%q is said to be a Service's", name)
			}
		}
	}
}
