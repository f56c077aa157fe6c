package provision

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// maxName is the longest name of a Service, and the longest value of a label.
const maxName = 63

// Name is the name of all objects of a Gateway: GATEWAY-CLASS (GEP-1762). One that is too long, or has a dot, which a
// Service's name cannot have, is shortened and carries a hash of the whole; one that begins with a digit, which that cannot
// either, has a prefix. Two Gateways may meet (a of class b-c, a-b of class c): the second finds a stranger's object there.
func Name(gw *gatewayv1.Gateway) string {
	name := gw.Name + "-" + string(gw.Spec.GatewayClassName)
	if name[0] >= '0' && name[0] <= '9' {
		name = "gateway-" + name
	}
	return short(name)
}

func short(name string) string {
	if len(name) <= maxName && !strings.Contains(name, ".") {
		return name
	}
	tail := "-" + hash([]byte(name))[:8]
	name = strings.ReplaceAll(name, ".", "-")
	name = name[:min(len(name), maxName-len(tail))]
	return strings.TrimRight(name, "-") + tail
}

// LabelValue is a name as the value of a label, where one that is too long is shortened as names are.
func LabelValue(name string) string {
	if len(name) <= maxName {
		return name
	}
	return short(name)
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
