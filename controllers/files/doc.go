// Package files reads objects from YAML and JSON files, strictly, and watches the files for changes. It is the source of
// `wasmpoint standalone` and of `wasmpoint explain`; a cluster's source gives the same typed objects.
//
// Every problem has the form `FILE:LINE: FIELD: problem; next step`, and all problems of a file are reported at once. A
// file is one unit: as long as it has a problem, nothing of its new content counts, so that a half-written file never
// takes a plugin away from a gateway that stands beside it.
package files
