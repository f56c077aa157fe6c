// Package tests has the behaviours of the conformance suite: each is one Go file and one YAML file of the same name, and
// registers itself.
//
// A manifest that names no namespace is in the test's own. ${NAMESPACE}, ${OTHER} and ${ROOT} are the test's namespaces and
// the root namespace, ${RUN} is different in every run, ${MARKER}, ${TCP}, ${BASIC_AUTH}, ${UNLINKABLE}, ${PRIVATE}
// and ${DEAD} are URLs of modules (the last two of a registry that wants credentials and of one that does not answer). A
// document with the annotation
// conformance.wasmpoint.dev/step waits until the test applies that step.
package tests

import (
	"embed"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

// Manifests are the YAML files of the tests, and those in base, which many have in common.
//
//go:embed *.yaml base/*.yaml
var Manifests embed.FS

// All are the registered tests.
var All []suite.Test

// register adds a test; it is for init functions.
func register(t suite.Test) { All = append(All, t) }
