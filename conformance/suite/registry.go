package suite

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
	"github.com/wasmpoint/wasmpoint/modules/registrytest"
)

// Credentials of the private registry, as manifests write them.
const privateUser, privatePassword = "someone", "secret"

// fillRegistries starts a registry with the modules that manifests may name, one that wants credentials, and names one that
// does not answer.
func (s *Suite) fillRegistries(t *testing.T) {
	t.Helper()
	s.registry = registrytest.Start(t)
	private := registrytest.Start(t)
	private.Hook(func(w http.ResponseWriter, r *http.Request) bool {
		if user, password, _ := r.BasicAuth(); user == privateUser && password == privatePassword {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="private"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	s.urls = map[string]string{"DEAD": "oci://127.0.0.1:1/missing:v1", "PRIVATE_HOST": private.Host}
	modules := map[string][]byte{
		"marker": wasmtest.Marker(t), "tcp": wasmtest.TCP(t), "basic-auth": wasmtest.BasicAuth(t), "unlinkable": wasmtest.Unlinkable(t),
	}
	for repository, module := range modules {
		s.registry.Push(repository, "v1", registrytest.PluginImage(module))
		variable := strings.ReplaceAll(strings.ToUpper(repository), "-", "_")
		s.urls[variable] = "oci://" + s.registry.Host + "/" + repository + ":v1"
	}
	private.Push("marker", "v1", registrytest.PluginImage(modules["marker"]))
	s.urls["PRIVATE"] = "oci://" + private.Host + "/marker:v1"
}
