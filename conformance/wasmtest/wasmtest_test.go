package wasmtest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
	"github.com/wasmpoint/wasmpoint/modules/inspect"
)

func TestEveryModulePassesTheInspectionBeforeDelivery(t *testing.T) {
	for name, module := range map[string][]byte{
		"marker":      wasmtest.Marker(t),
		"tcp":         wasmtest.TCP(t),
		"basic-auth":  wasmtest.BasicAuth(t),
		"unlinkable":  wasmtest.Unlinkable(t),
		"broken code": wasmtest.BrokenCode(),
		"unique":      wasmtest.Unique(wasmtest.Marker(t), "1"),
	} {
		t.Run(name, func(t *testing.T) {
			info, err := inspect.Plugin(bytes.NewReader(module))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("ABI %s, %d bytes", info.ABI, info.Size)
		})
	}
}

func TestSeedsMakeModulesDifferAndEqualSeedsDoNot(t *testing.T) {
	base := wasmtest.Marker(t)
	one, two := wasmtest.Unique(base, "1"), wasmtest.Unique(base, "2")
	if bytes.Equal(one, two) || bytes.Equal(one, base) {
		t.Error("different seeds, equal bytes")
	}
	if !bytes.Equal(one, wasmtest.Unique(base, "1")) {
		t.Error("equal seeds, different bytes")
	}
}

func TestAModuleIsBuiltOnce(t *testing.T) {
	first, err := wasmtest.BuildFile(wasmtest.ModuleMarker)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	second, err := wasmtest.BuildFile(wasmtest.ModuleMarker)
	if err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(second)
	if err != nil {
		t.Fatal(err)
	}
	if first != second || !os.SameFile(before, after) {
		t.Errorf("built again: %s, %s", first, second)
	}
}

func TestTheErrorForAnUnknownModuleNamesTheKnownOnes(t *testing.T) {
	_, err := wasmtest.Build("nothing")
	const want = `there is no module "nothing"; wasmtest has marker, tcp, unlinkable and basic-auth`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestOutsideTheRepositoryTheErrorSaysWhereToGo(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	_, err := wasmtest.Build(wasmtest.ModuleMarker)
	real, _ := filepath.EvalSymlinks(dir)
	if err == nil || !strings.HasSuffix(err.Error(), real+" is not inside the wasmpoint repository; run this from there") {
		t.Errorf("error %v", err)
	}
}
