package attach

import (
	"os/exec"
	"strings"
	"testing"
)

func TestTheRulesImportNoClientAndNoServer(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".", "../store").Output()
	if err != nil {
		t.Fatal(err)
	}
	own := []string{"/apis/", "/controllers/model", "/controllers/store", "/controllers/attach"}
	for _, path := range strings.Fields(string(out)) {
		for _, forbidden := range []string{
			"k8s.io/client-go", "sigs.k8s.io/controller-runtime", "google.golang.org/grpc", "github.com/envoyproxy",
		} {
			if strings.HasPrefix(path, forbidden) {
				t.Errorf("%s is imported", path)
			}
		}
		if rest, ok := strings.CutPrefix(path, "github.com/wasmpoint/wasmpoint"); ok {
			allowed := false
			for _, prefix := range own {
				allowed = allowed || strings.HasPrefix(rest, prefix)
			}
			if !allowed {
				t.Errorf("%s is imported", path)
			}
		}
	}
}
