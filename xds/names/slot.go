package names

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// SlotKind tells what may stand in a slot.
type SlotKind string

// The kinds of slots. A prefetch slot is an HTTP slot that no request ever passes.
const (
	KindHTTP     SlotKind = "http"
	KindNetwork  SlotKind = "network"
	KindPrefetch SlotKind = "prefetch"
)

// SlotName is a slot's name, taken apart.
type SlotName struct {
	Kind SlotKind
	// External tells that the name says nothing of whose slot it is: the proxy that asks for it says so (external.go).
	External bool
	// Scope is where the slot stands; of a prefetch slot it holds the gateway alone. The gateway is empty if External.
	Scope model.Scope
	// Phase is set for HTTP slots.
	Phase model.Phase
	// Index is the number of a network slot (0 to model.NetworkSlots-1).
	Index int
	// Of is the name of the slot that has this prefetch slot for itself, "" if it is its proxy's.
	Of string
}

// Slot is the HTTP slot of a scope and phase.
func Slot(s model.Scope, phase model.Phase) string {
	return join(append(append(kindOf(KindHTTP, s), place(s)...), string(model.Phases[phase.Index()]))...)
}

// NetworkSlot is the i-th network slot of a scope.
func NetworkSlot(s model.Scope, i int) string {
	return join(append(append(kindOf(KindNetwork, s), place(s)...), strconv.Itoa(i))...)
}

// Prefetch is the prefetch slot of a gateway's proxies. One is enough: it is busy from a push to its answer only, and the
// proxy fetches several modules side by side.
func Prefetch(gw types.NamespacedName) string {
	if model.IsWorkload(gw) {
		return ExternalPrefetch
	}
	return join(string(KindPrefetch), gw.Namespace, gw.Name)
}

// String is the name again: ParseSlot(n.String()) gives n.
func (n SlotName) String() string {
	switch {
	case n.Of != "":
		return Lane(n.Of)
	case n.Kind == KindNetwork:
		return NetworkSlot(n.Scope, n.Index)
	case n.Kind == KindPrefetch && n.External:
		return ExternalPrefetch
	case n.Kind == KindPrefetch:
		return Prefetch(n.Scope.Gateway)
	default:
		return Slot(n.Scope, n.Phase)
	}
}

// ParseSlot reads a slot's name. A name that no function of this package forms is an error: what a proxy asks for is
// not to be trusted.
func ParseSlot(name string) (SlotName, error) {
	n, ok := parse(name)
	if !ok || n.String() != name {
		return SlotName{}, fmt.Errorf("%q is not the name of a slot: want %s/{http|network|prefetch}/…", name, Prefix)
	}
	return n, nil
}

func parse(name string) (n SlotName, ok bool) {
	rest, ok := strings.CutPrefix(name, Prefix+"/")
	if !ok {
		return n, false
	}
	parts := strings.Split(rest, "/")
	for i, p := range parts {
		plain, err := url.PathUnescape(p)
		if err != nil {
			return n, false
		}
		parts[i] = plain
	}
	if parts[0] == lane {
		return parseLane(rest)
	}
	if parts[0] == external {
		return parseExternal(parts[1:])
	}
	if len(parts) < 3 {
		return n, false
	}
	n.Kind = SlotKind(parts[0])
	n.Scope.Gateway = types.NamespacedName{Namespace: parts[1], Name: parts[2]}
	if len(parts) == 3 {
		return n, n.Kind == KindPrefetch
	}
	middle, last := parts[3:len(parts)-1], parts[len(parts)-1]
	if !n.last(last) {
		return n, false
	}
	if len(middle) == 4 {
		n.Scope.Service = model.ServiceKey{Kind: middle[0], Namespace: middle[1], Name: middle[2]}
		middle = middle[3:]
	}
	if len(middle) != 1 {
		return n, false
	}
	port, err := strconv.ParseInt(middle[0], 10, 32)
	n.Scope.Port = int32(port)
	return n, err == nil
}

// last reads the last segment of a slot's name.
func (n *SlotName) last(segment string) (ok bool) {
	switch n.Kind {
	case KindNetwork:
		n.Index, ok = index(segment, model.NetworkSlots)
	case KindHTTP:
		n.Phase, ok = model.Phase(segment), true
	}
	return ok
}

func index(s string, limit int) (int, bool) {
	i, err := strconv.Atoi(s)
	return i, err == nil && i >= 0 && i < limit
}
