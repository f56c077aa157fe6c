package attach

import (
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// wideTallies keeps, for one plugin that targets a GatewayClass or reaches external proxies, its tally at every Gateway or
// workload. A change at one of them then costs the checks of its places alone, however many others there are.
type wideTallies struct {
	plugin *model.Plugin
	at     map[types.NamespacedName]wideTally
}

type wideTally struct {
	revision uint64
	tally
}

// tallyAt takes a kept tally if neither the plugin nor the Gateway has changed since. NETWORK plugins depend on their
// neighbours as well, and are always counted.
func (t *Tracker) tallyAt(j *judge, gateway *gatewayv1.Gateway) tally {
	state := t.gateways[nameOf(gateway)]
	return t.kept(j, nameOf(gateway), state.revision, func() tally { return j.tallyOf(gateway, t.placesOf(gateway)) })
}

func (t *Tracker) kept(j *judge, name types.NamespacedName, revision uint64, count func() tally) tally {
	if j.plugin.Type == model.TypeNetwork {
		return count()
	}
	wide := t.wide[j.plugin.Key]
	if wide == nil || wide.plugin != j.plugin {
		wide = &wideTallies{plugin: j.plugin, at: map[types.NamespacedName]wideTally{}}
		t.wide[j.plugin.Key] = wide
	}
	kept, ok := wide.at[name]
	if !ok || kept.revision != revision {
		kept = wideTally{revision, count()}
		wide.at[name] = kept
	}
	return kept.tally
}

// revise says that the places of a Gateway, or what the rules read of it, changed.
func (t *Tracker) revise(state *gatewayState) {
	t.revision++
	state.revision = t.revision
}

// forgetGateway drops what is kept of a Gateway that is gone.
func (t *Tracker) forgetGateway(name types.NamespacedName) {
	delete(t.gateways, name)
	t.forgetTallies(name)
}
