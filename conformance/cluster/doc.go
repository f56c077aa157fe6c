// Package cluster starts a real etcd and a real kube-apiserver (and kube-controller-manager) for tests, with the
// CustomResourceDefinitions that wasmpoint reads, and breaks them on demand: API server restarted, etcd stopped short,
// one client cut off. RBAC is on, so that a program can be run with exactly the rights that its manifests give it.
//
// The processes are started here and not by controller-runtime's envtest, which cannot start an API server again on the
// same data and certificates, and whose processes outlive a test that is killed. Its code installs the CRDs.
package cluster
