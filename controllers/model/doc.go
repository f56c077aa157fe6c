// Package model holds wasmpoint's neutral words: plugin, target, scope, slot and verdict (see the design's "Words").
//
// WasmPlugin and TrafficExtension are turned into a Plugin at the edge, so that no rule, no xDS builder and no status
// builder has to know which of the two kinds it looks at. The package imports nothing but the API types: everything
// here is data, and all of it is treated as immutable once it was handed on.
package model
