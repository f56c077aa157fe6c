package attach

import (
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// wideTallies keeps, for one plugin that targets a GatewayClass, its tally at every Gateway. A change at one Gateway
// then costs the checks of that Gateway's places alone, however many others the class has.
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
	if j.plugin.Type == model.TypeNetwork {
		return j.tallyOf(gateway, t.placesOf(gateway))
	}
	wide := t.wide[j.plugin.Key]
	if wide == nil || wide.plugin != j.plugin {
		wide = &wideTallies{plugin: j.plugin, at: map[types.NamespacedName]wideTally{}}
		t.wide[j.plugin.Key] = wide
	}
	kept, ok := wide.at[nameOf(gateway)]
	if !ok || kept.revision != state.revision {
		kept = wideTally{state.revision, j.tallyOf(gateway, t.placesOf(gateway))}
		wide.at[nameOf(gateway)] = kept
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
	for _, wide := range t.wide {
		delete(wide.at, name)
	}
}
