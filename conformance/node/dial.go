package node

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	"github.com/wasmpoint/wasmpoint/conformance/node/sandbox"
)

// Dial connects from inside a Pod's network, as the node's ztunnel does and as the Pod's own processes can: 127.0.0.1 is the
// Pod's.
func (n *Node) Dial(ctx context.Context, from *corev1.Pod, address netip.AddrPort) (net.Conn, error) {
	p := n.find(from)
	var box *sandbox.Sandbox
	if p != nil {
		p.mu.Lock()
		if p.inNetwork {
			box = p.box
		}
		p.mu.Unlock()
	}
	if box == nil {
		return nil, fmt.Errorf("Pod %s/%s has no network on this node", from.Namespace, from.Name)
	}
	return box.Dial(ctx, address)
}
