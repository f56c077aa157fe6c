package engine

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
)

func someGood() map[model.Key][]*build.Variant {
	p := plugin("p", one, 3)
	p.Wasm.Config, p.Wasm.Env = []byte(`{"a":"ü"}`), []model.EnvVar{{Name: "A", Value: "b"}, {Name: "H", FromHost: true}}
	lua := plugin("lua", "", 1)
	lua.Wasm, lua.Lua = nil, "-- x"
	return map[model.Key][]*build.Variant{
		p.Key:   {build.NewVariant(p, "d2"), build.NewVariant(p, "d1")},
		lua.Key: {build.NewVariant(lua, "")},
	}
}

func TestTheLastGoodFileKeepsEverything(t *testing.T) {
	f := FileLastGood{Path: filepath.Join(t.TempDir(), "good.json")}
	empty, err := f.Load()
	if err != nil || len(empty) != 0 {
		t.Fatalf("without a file: %v, %v; want an empty state", empty, err)
	}
	want := someGood()
	for range 2 { // the second time over the first
		if err := f.Save(want); err != nil {
			t.Fatal(err)
		}
		got, err := f.Load()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v, %v; want %v", got, err, want)
		}
	}
	before, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Save(want); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(f.Path); err != nil || string(after) != string(before) {
		t.Errorf("the same content gave other bytes (%v)", err)
	}
}

func TestABrokenLastGoodFileIsNamedWithTheNextStep(t *testing.T) {
	f := FileLastGood{Path: filepath.Join(t.TempDir(), "good.json")}
	for content, want := range map[string]string{
		`{"version":1,`:              " are unreadable: unexpected end of JSON input; move the file away to start without them",
		`{"version":2,"plugins":[]}`: " have format 2, and this wasmpoint reads format 1; start the one that wrote them, or move the file away to start without them",
		`{}`:                         " have format 0, and this wasmpoint reads format 1; start the one that wrote them, or move the file away to start without them",
	} {
		if err := os.WriteFile(f.Path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := f.Load()
		if want = "last good configurations in " + f.Path + want; err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", content, err, want)
		}
		if _, err := New(Options{LastGood: f, Modules: newFakeModules()}); err == nil || err.Error() != want {
			t.Errorf("%s: the engine starts: %v", content, err)
		}
	}
}

func TestAFailedSaveLeavesTheOldFileAndNoOther(t *testing.T) {
	dir := t.TempDir()
	f := FileLastGood{Path: filepath.Join(dir, "good.json")}
	if err := f.Save(someGood()); err != nil {
		t.Fatal(err)
	}
	broken := FileLastGood{Path: filepath.Join(dir, "folder")}
	if err := os.MkdirAll(filepath.Join(broken.Path, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := broken.Save(someGood()); err == nil || !strings.HasPrefix(err.Error(), "last good configurations: ") {
		t.Errorf("error %v", err)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 {
		t.Errorf("%d files, want the file and the folder alone", len(list))
	}
	if got, err := f.Load(); err != nil || len(got) != 2 {
		t.Errorf("the old file: %v, %v", got, err)
	}
}

func TestWhatAnotherReplicaKnowsOfAnOlderObjectIsNotLearnt(t *testing.T) {
	w := newWorld(t)
	p := plugin("p", one, 1, target)
	p.UID = "second"
	w.apply(ingress("gw"), p)
	older := plugin("p", two, 5, target)
	for _, uid := range []types.UID{"first", "second"} {
		older.UID = uid
		var want []string
		if uid == p.UID {
			want = []string{"d5"}
		}
		w.Learn(map[model.Key][]*build.Variant{p.Key: {build.NewVariant(older, "d5")}})
		w.turn()
		w.wantEntry("learnt of "+string(uid), want == nil, want...)
	}
}
