// Package pki is the controller's certificate authority: one Secret in the controller's namespace, shared by all replicas,
// from which each makes its certificates in memory.
//
// Proxies verify the xDS and module servers by the name wasmpoint.<namespace>.svc; replicas know each other by the URI SAN
// ReplicaURI, so that no other certificate of the same CA (a proxy's, a serving one) passes for a replica's.
package pki

import "time"

// Names of the Secret that holds the CA and of the ConfigMap that publishes its certificate, and their keys.
const (
	SecretName    = "wasmpoint-ca"
	ConfigMapName = "wasmpoint-ca"
	CertKey       = "ca.crt"
	PrivateKey    = "ca.key"
)

// ReplicaURI is the URI SAN by which replicas know each other.
const ReplicaURI = "spiffe://wasmpoint/replica"

// GatewayURI begins the URI SAN of a proxy outside of a cluster; NAMESPACE/NAME of its Gateway follows.
const GatewayURI = "spiffe://wasmpoint.dev/gateway/"

// ReloadEvery is how often a replica reads the CA again.
const ReloadEvery = time.Minute

const (
	// handover is how long the former key signs addresses of modules: until every replica has read the new one, also if it missed it
	// once.
	handover = 2*ReloadEvery + ReloadEvery/2
	// caLife is how long a CA that we make is valid.
	caLife = 10 * 365 * 24 * time.Hour
	// leafLife is how long a serving certificate is valid; it is renewed after two thirds.
	leafLife = 24 * time.Hour
	// backdate is how long a certificate is valid before it is made, for clocks that are behind ours.
	backdate = 5 * time.Minute
	// warnBefore is when Warning begins to speak of a CA's end.
	warnBefore = 30 * 24 * time.Hour
)

// ServerName is the name by which proxies verify the controller's servers.
func ServerName(namespace string) string { return "wasmpoint." + namespace + ".svc" }

// serverNames are the names of a serving certificate in a namespace.
func serverNames(namespace string) []string {
	var out []string
	for _, service := range []string{"wasmpoint", "wasmpoint-peers"} {
		host := service + "." + namespace
		out = append(out, service, host, host+".svc", host+".svc.cluster.local")
	}
	return append(out, "localhost", "127.0.0.1")
}
