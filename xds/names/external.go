package names

import (
	"strconv"
	"strings"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// The names of slots in external proxies. They stand in bootstraps and EnvoyFilters that somebody wrote by hand, so they say
// nothing of whose proxy it is: the proxy's identity does. They are kept as long as Prefix has this version:
//
//	wasmpoint/v1/external/http/SIDE/PORT/PHASE        an HTTP slot: SIDE gateway, inbound or outbound; PORT as match.ports has it, or
//	                                                  0, which only plugins without ports match; PHASE AUTHN, AUTHZ, STATS or UNSPECIFIED
//	wasmpoint/v1/external/network/SIDE/PORT/INDEX     a network slot, INDEX 0 to 3
//	wasmpoint/v1/external/prefetch                    the prefetch slot of a proxy whose slots come over one ADS stream
//	wasmpoint/v1/lane/SLOT                            the prefetch slot of the one slot wasmpoint/v1/SLOT, which has a stream of its own
const (
	external = "external"
	lane     = "lane"

	// ExternalPrefetch is the prefetch slot of an external proxy.
	ExternalPrefetch = Prefix + "/" + external + "/prefetch"
)

// Lane is the prefetch slot that a slot with a stream of its own has for itself: whose streams belong together nobody could
// tell otherwise.
func Lane(slot string) string { return Prefix + "/" + lane + strings.TrimPrefix(slot, Prefix) }

// kindOf begins the name of a slot.
func kindOf(kind SlotKind, s model.Scope) []string {
	if s.Side != "" {
		return []string{external, string(kind)}
	}
	return []string{string(kind)}
}

// parseExternal reads what follows external.
func parseExternal(parts []string) (n SlotName, ok bool) {
	if len(parts) == 1 {
		return SlotName{Kind: KindPrefetch, External: true}, SlotKind(parts[0]) == KindPrefetch
	}
	if len(parts) != 4 {
		return n, false
	}
	n.Kind, n.External = SlotKind(parts[0]), true
	port, err := strconv.ParseUint(parts[2], 10, 16)
	n.Scope.Side, n.Scope.Port = model.Side(parts[1]), int32(port)
	return n, err == nil && n.Scope.Side.Known() && n.last(parts[3])
}

// parseLane reads the slot whose lane it is. rest is what follows the prefix, as it was.
func parseLane(rest string) (n SlotName, ok bool) {
	slot := Prefix + strings.TrimPrefix(rest, lane)
	of, ok := parse(slot)
	if !ok || of.Kind == KindPrefetch || of.String() != slot {
		return n, false
	}
	return SlotName{Kind: KindPrefetch, External: of.External, Scope: model.Scope{Gateway: of.Scope.Gateway}, Of: slot}, true
}
