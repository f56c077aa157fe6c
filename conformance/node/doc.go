// Package node plays a node of a cluster inside a network namespace: it binds Pods to itself, runs their containers as local
// processes with a network namespace and a root filesystem of their own, probes them, reports their status, ends them as
// kubelet does, and plays kube-proxy and DNS for Services. With conformance/cluster it makes a whole cluster in which a
// Deployment becomes real Envoys.
package node
