package routes

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// certificates gives the usable certificates of an HTTPS listener and what is wrong with the first unusable one.
func certificates(gw *gatewayv1.Gateway, spec *gatewayv1.Listener, v View) (usable []types.NamespacedName, first *problem) {
	if spec.TLS == nil || len(spec.TLS.CertificateRefs) == 0 {
		return nil, &problem{gatewayv1.ListenerReasonInvalidCertificateRef, "tls.certificateRefs is empty, name a Secret of type kubernetes.io/tls"}
	}
	for i, ref := range spec.TLS.CertificateRefs {
		name := types.NamespacedName{Namespace: gw.Namespace, Name: string(ref.Name)}
		if ref.Namespace != nil {
			name.Namespace = string(*ref.Namespace)
		}
		p := certificate(gw.Namespace, ref, name, v)
		if p == nil {
			if !slices.Contains(usable, name) {
				usable = append(usable, name)
			}
		} else if first == nil {
			p.message = fmt.Sprintf("tls.certificateRefs[%d]: %s", i, p.message)
			first = p
		}
	}
	return usable, first
}

func certificate(from string, ref gatewayv1.SecretObjectReference, name types.NamespacedName, v View) *problem {
	invalid := func(format string, args ...any) *problem {
		return &problem{gatewayv1.ListenerReasonInvalidCertificateRef, fmt.Sprintf(format, args...)}
	}
	if (ref.Group != nil && *ref.Group != corev1.GroupName) || (ref.Kind != nil && *ref.Kind != "Secret") {
		return invalid("only Secrets of the core group are supported")
	}
	if !permitted(v, "Gateway", from, "Secret", name.Namespace, name.Name) {
		return &problem{gatewayv1.ListenerReasonRefNotPermitted, fmt.Sprintf("no ReferenceGrant in namespace %s lets Gateways of namespace %s use Secret %s", name.Namespace, from, name.Name)}
	}
	s := v.Secret(name)
	if s == nil {
		return invalid("Secret %s does not exist", name)
	}
	if err := checkSecret(s); err != nil {
		return invalid("Secret %s: %v", name, err)
	}
	return nil
}
