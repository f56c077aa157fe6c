package main

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"runtime/debug"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// rootsModule holds Mozilla's list as the Go project publishes it. A module, unlike a file of the building machine, is the
// same for everybody and is checked by go.sum.
const rootsModule = "golang.org/x/crypto/x509roots/fallback"

// roots gives the certificates as PEM. Those that are trusted only under a constraint are left out, for PEM cannot say it.
func roots() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		// A buffer takes everything.
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
	}
	return b.Bytes()
}

// rootsVersion is the module's version in this program.
func rootsVersion() (string, error) {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, d := range info.Deps {
			if d.Path == rootsModule {
				return d.Version, nil
			}
		}
	}
	return "", fmt.Errorf("this program does not say which version of %s it holds; build it in module mode", rootsModule)
}
