package samples

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/controllers/files"
)

func load(t *testing.T, paths ...string) files.Result {
	t.Helper()
	r := files.Load(paths...)
	for _, e := range r.Errors {
		t.Error(e)
	}
	for _, n := range r.Notes {
		t.Error(n)
	}
	return r
}

func TestEveryFolderLoadsByItself(t *testing.T) {
	folders := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || path == "." {
			return err
		}
		folders++
		r := load(t, path)
		if len(r.Plugins)+len(r.Gateways)+len(r.Services) == 0 {
			t.Errorf("%s holds nothing", path)
		}
		return nil
	})
	if err != nil || folders < 3 {
		t.Errorf("%d folders, %v", folders, err)
	}
}

func TestTheBaseHoldsNoPluginAndNoWaypoint(t *testing.T) {
	r := load(t, "bookinfo")
	if len(r.Plugins) != 0 || len(r.Gateways) != 1 || len(r.Services) != 2 || len(r.EndpointSlices) != 2 || len(r.HTTPRoutes) != 1 {
		t.Errorf("%d plugins, %d gateways, %d services, %d slices, %d routes",
			len(r.Plugins), len(r.Gateways), len(r.Services), len(r.EndpointSlices), len(r.HTTPRoutes))
	}
}

func TestTheWholeWalkThroughLoadsAtOnce(t *testing.T) {
	paths := []string{"bookinfo/bookinfo.yaml", "bookinfo/reviews-endpoints.yaml"}
	steps, err := filepath.Glob("bookinfo-steps/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r := load(t, append(paths, append(steps, "bookinfo-steps/mesh-wide")...)...)
	var plugins, gateways []string
	for _, p := range r.Plugins {
		plugins = append(plugins, p.Namespace+"/"+p.Name)
	}
	for _, g := range r.Gateways {
		gateways = append(gateways, g.Name)
	}
	if got, want := strings.Join(plugins, " "), "default/basic-auth-at-gateway default/basic-auth-at-waypoint default/basic-auth-for-service istio-system/basic-auth"; got != want {
		t.Errorf("plugins %s, want %s", got, want)
	}
	if got, want := strings.Join(gateways, " "), "bookinfo-gateway reviews-svc-waypoint waypoint"; got != want {
		t.Errorf("gateways %s, want %s", got, want)
	}
}
