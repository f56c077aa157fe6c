// Package crd embeds the CustomResourceDefinitions of WasmPlugin and TrafficExtension, as `make generate` wrote them
// from the Go types, so that every binary validates with exactly the schema that is installed in a cluster.
package crd

import _ "embed"

// WasmPlugins is the YAML of wasmplugins.extensions.istio.io.
//
//go:embed extensions.istio.io_wasmplugins.yaml
var WasmPlugins []byte

// TrafficExtensions is the YAML of trafficextensions.extensions.istio.io.
//
//go:embed extensions.istio.io_trafficextensions.yaml
var TrafficExtensions []byte
