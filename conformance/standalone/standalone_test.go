package standalone_test

import (
	"testing"
	"time"
)

func TestAPluginRunsAtAGatewayAndAtAService(t *testing.T) {
	web, _ := backend(t, "web", inMesh, "http")
	w := start(t, map[string]string{"web.yaml": web, "edge.yaml": ingress, "waypoint.yaml": waypoint})
	edge, service := w.gateway("edge"), w.service("web", 9080)
	w.answers(edge, "/", 200, "")
	w.answers(service, "/", 200, "")
	url := w.module("marker.wasm", "1")
	begin := time.Now()
	w.write("plugin.yaml", pluginManifest("at-edge", url, "Gateway", "edge", `{name: edge}`, ""))
	w.answers(edge, "/", 200, "edge")
	t.Log("first plugin", time.Since(begin))
	begin = time.Now()
	w.write("plugin.yaml", pluginManifest("at-edge", url, "Gateway", "edge", `{name: edge2}`, ""))
	w.answers(edge, "/", 200, "edge2")
	t.Log("config change", time.Since(begin))
	w.write("service.yaml", pluginManifest("at-service", url, "Service", "web", `{name: service}`, ""))
	w.answers(service, "/", 200, "service")
	w.answers(edge, "/", 200, "edge2")
	w.plugin("at-edge", "programmed", programmed)
	w.plugin("at-service", "programmed", programmed)
	w.remove("plugin.yaml")
	w.answers(edge, "/", 200, "")
	w.remove("service.yaml")
	w.answers(service, "/", 200, "")
}
