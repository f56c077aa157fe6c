// Istio's API, for its CRDs alone: the EnvoyFilter that `wasmpoint bootstrap --for istio` prints is checked against them.
module github.com/wasmpoint/wasmpoint/tools/istio

go 1.26.0

require istio.io/api v1.31.1
