package bootstrap

import (
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"k8s.io/apimachinery/pkg/types"
)

// GatewayOf is the Gateway whose proxy a node says it is. It is the node's own word.
func GatewayOf(node *corev3.Node) (types.NamespacedName, error) {
	f := node.GetMetadata().GetFields()
	gw := types.NamespacedName{Namespace: f[MetadataNamespace].GetStringValue(), Name: f[MetadataGateway].GetStringValue()}
	if gw.Namespace == "" || gw.Name == "" {
		return gw, fmt.Errorf("node %q does not say whose proxy it is: set the node metadata %s and %s", node.GetId(), MetadataNamespace, MetadataGateway)
	}
	return gw, nil
}
