// Package samples holds manifests to run and to learn from.
package samples

import "embed"

// Files are the README and all samples, for tests that do what the README says.
//
//go:embed README.md bookinfo bookinfo-steps cluster features managed
var Files embed.FS
