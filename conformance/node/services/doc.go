// Package services plays kube-proxy and the cluster's DNS inside a network namespace: each Service's address is local there,
// and each connection to it is relayed to a ready endpoint; a DNS server answers for the names of Services.
package services
