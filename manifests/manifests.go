// Package manifests embeds what installs wasmpoint in a cluster, for programs that install it, such as the conformance
// suite. The CRDs alone are in package crd.
package manifests

import _ "embed"

// Install is install.yaml: the CRDs, the namespace wasmpoint-system, RBAC, GatewayClasses, and the controller. `make generate`
// renders it from the folder deploy.
//
//go:embed install.yaml
var Install []byte
