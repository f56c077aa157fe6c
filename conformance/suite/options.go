package suite

import (
	"io"
	"io/fs"
	"time"

	"sigs.k8s.io/gateway-api/pkg/features"
)

// Options are what a run needs.
type Options struct {
	// Kubeconfig is a cluster in which this process, inside its network namespace, may do everything; "" starts one.
	Kubeconfig string
	// Controller is the wasmpoint binary to test; what it logs goes to the file ControllerLog.
	Controller, ControllerLog string
	// Manifests are the YAML files of the tests.
	Manifests fs.FS
	// Supported are the features to test.
	Supported []features.FeatureName
	// Only are the ShortNames of the tests to run; none: all.
	Only []string
	// Report is the file to write. About is filled in with what the run finds out.
	Report string
	About  About
	// Progress gets one line per test.
	Progress io.Writer
	Timeouts Timeouts
}

// Timeouts are how long the suite waits for what. They are bounds for a busy machine; what works takes a small part.
type Timeouts struct {
	// Ready is for a controller or a proxy to start.
	Ready time.Duration
	// Status is for a status or a condition to say something.
	Status time.Duration
	// Traffic is for requests to be answered as wanted.
	Traffic time.Duration
	// Steady is how long something that must not change is watched.
	Steady time.Duration
	// Module is the controller's --wait-for-module: how long a new plugin waits before its fail strategy acts.
	Module time.Duration
	// Request is for one request.
	Request time.Duration
}

// DefaultTimeouts suit a machine with two busy cores.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		Ready: 2 * time.Minute, Status: 90 * time.Second, Traffic: 90 * time.Second, Steady: time.Second,
		Module: 3 * time.Second, Request: 5 * time.Second,
	}
}
