// Package lastgood keeps the last good configurations of a cluster: one ControllerRevision per plugin in the controller's
// namespace. The leader writes them, every replica reads them when it starts and hears of them while it follows, so that a
// fresh proxy gets the last good configuration from whichever replica it asks (the design's "Durable last good").
//
// Kubernetes does not let the data of a ControllerRevision be changed. Another content is a new object, whose name holds
// the hash of the content and whose revision is higher; the former one is deleted after it is there.
package lastgood

import "github.com/wasmpoint/wasmpoint/controllers/engine"

// Label marks our ControllerRevisions; PluginAnnotation names the plugin, as "Kind namespace/name".
const (
	Label            = "wasmpoint.dev/last-good"
	PluginAnnotation = "wasmpoint.dev/plugin"
)

var _ engine.LastGood = (*Store)(nil)
