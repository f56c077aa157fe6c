package server

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/xds/names"
)

// Hooks are told what the server does, for counters. Functions may be nil; they are called often, from many goroutines, and
// must not block.
type Hooks struct {
	// Connected is called with 1 when a proxy's main stream begins and with -1 when it ends.
	Connected func(by int)
	// Pushed is called for each response, with the type URL of its resources. Lane tells that it went through the prefetch
	// lane.
	Pushed func(typeURL string, lane bool)
	// Refused is called for each response that a proxy refused. In the lane that is usual: the first refusal starts the fetch.
	Refused func(typeURL string, lane bool)
	// Fetched is called when a proxy's own fetch of a module for its lane ended, whole or not.
	Fetched func(complete bool)
	// Wanted is called when an external proxy asks for a slot that its workload does not have yet.
	Wanted func(workload types.NamespacedName, slot names.SlotName)
	// Foreign is called when a stream asks for a slot of another gateway, once for each name.
	Foreign func()
}

func (h *Hooks) connected(by int) {
	if h.Connected != nil {
		h.Connected(by)
	}
}

func (h *Hooks) pushed(typeURL string, lane bool) {
	if h.Pushed != nil {
		h.Pushed(typeURL, lane)
	}
}

func (h *Hooks) refused(typeURL string, lane bool) {
	if h.Refused != nil {
		h.Refused(typeURL, lane)
	}
}

func (h *Hooks) fetched(complete bool) {
	if h.Fetched != nil {
		h.Fetched(complete)
	}
}

func (h *Hooks) wanted(workload types.NamespacedName, slot names.SlotName) {
	if h.Wanted != nil {
		h.Wanted(workload, slot)
	}
}

func (h *Hooks) foreign() {
	if h.Foreign != nil {
		h.Foreign()
	}
}
