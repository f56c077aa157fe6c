package files

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// watch starts a watcher and gives its results one by one.
func watch(t *testing.T, paths ...string) <-chan Result {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	results := make(chan Result, 1000)
	done := make(chan error, 1)
	go func() { done <- Watch(ctx, paths, func(r Result) { results <- r }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch: %v", err)
		}
	})
	return results
}

// until takes results until one is right. Every one of them is handed to each, if that is set.
func until(t *testing.T, results <-chan Result, each func(Result), right func(Result) bool) Result {
	t.Helper()
	limit := time.After(10 * time.Second)
	var last Result
	for {
		select {
		case last = <-results:
			if each != nil {
				each(last)
			}
			if right(last) {
				return last
			}
		case <-limit:
			t.Fatalf("no right result within 10 s; the last one has plugins %v, errors %v", names(last), last.Errors)
		}
	}
}

func has(want ...string) func(Result) bool {
	return func(r Result) bool { return slices.Equal(names(r), want) }
}

func url(r Result, i int) string {
	if i >= len(r.Plugins) {
		return ""
	}
	return r.Plugins[i].Wasm.URL
}

func TestAChangeIsReportedAndWhatDidNotChangeKeepsItsPointer(t *testing.T) {
	t.Parallel()
	dir := world(t, map[string]string{"a.yaml": plugin("a", "oci://x/1") + "---\n" + plugin("b", "oci://x/b"), "c.yaml": plugin("c", "oci://x/c")})
	results := watch(t, dir)
	first := until(t, results, nil, has("default/a", "default/b", "default/c"))
	write(t, filepath.Join(dir, "a.yaml"), "# a comment\n"+plugin("a", "oci://x/2")+"---\n"+plugin("b", "oci://x/b"))
	next := until(t, results, nil, func(r Result) bool { return url(r, 0) == "oci://x/2" })
	if next.Plugins[0].Generation != 2 || next.Plugins[1] != first.Plugins[1] || next.Plugins[2] != first.Plugins[2] {
		t.Errorf("generation %d, b and c the same: %v %v", next.Plugins[0].Generation, next.Plugins[1] == first.Plugins[1], next.Plugins[2] == first.Plugins[2])
	}
	if next.Namespaces[0] != first.Namespaces[0] {
		t.Error("the namespace got a new pointer")
	}
}

func TestABrokenFileKeepsItsLastGoodContentAndOthersGoOn(t *testing.T) {
	t.Parallel()
	dir := world(t, map[string]string{"a.yaml": plugin("a", "oci://x/1"), "b.yaml": plugin("b", "oci://x/1")})
	a := filepath.Join(dir, "a.yaml")
	results := watch(t, dir)
	until(t, results, nil, has("default/a", "default/b"))
	never := func(r Result) {
		if !has("default/a", "default/b")(r) {
			t.Errorf("plugins %v", names(r))
		}
	}
	write(t, a, plugin("a", "oci://x/2")+"  colour: red\n")
	r := until(t, results, never, func(r Result) bool { return len(r.Errors) == 1 })
	if got, want := r.Errors[0].Error(), a+":7: spec.colour: unknown field; remove it or correct its name"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
	if url(r, 0) != "oci://x/1" {
		t.Errorf("a has %s", url(r, 0))
	}
	write(t, filepath.Join(dir, "b.yaml"), plugin("b", "oci://x/2"))
	until(t, results, never, func(r Result) bool { return url(r, 1) == "oci://x/2" && len(r.Errors) == 1 })
	write(t, a, plugin("a", "oci://x/3"))
	until(t, results, never, func(r Result) bool { return url(r, 0) == "oci://x/3" && len(r.Errors) == 0 })
}

func TestADeletedFileGivesUpItsObjects(t *testing.T) {
	t.Parallel()
	dir := world(t, map[string]string{"a.yaml": plugin("a", "oci://x/1"), "b.yaml": plugin("b", "oci://x/1")})
	results := watch(t, dir)
	until(t, results, nil, has("default/a", "default/b"))
	if err := os.Remove(filepath.Join(dir, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	noErrors(t, until(t, results, nil, has("default/b")))
}

func TestSavingByRenameNeverTakesAPluginAway(t *testing.T) {
	t.Parallel()
	dir := world(t, map[string]string{"a.yaml": plugin("a", "oci://x/1")})
	path := filepath.Join(dir, "a.yaml")
	results := watch(t, dir)
	until(t, results, nil, has("default/a"))
	never := func(r Result) {
		if !has("default/a")(r) || len(r.Errors) > 0 {
			t.Errorf("plugins %v, errors %v", names(r), r.Errors)
		}
	}
	for i, n := range []string{"2", "3", "4", "5"} {
		if i%2 == 0 {
			// The old file is moved aside first, as some editors do.
			if err := os.Rename(path, path+"~"); err != nil {
				t.Fatal(err)
			}
		}
		write(t, filepath.Join(dir, ".tmp"), plugin("a", "oci://x/"+n))
		if err := os.Rename(filepath.Join(dir, ".tmp"), path); err != nil {
			t.Fatal(err)
		}
		until(t, results, never, func(r Result) bool { return url(r, 0) == "oci://x/"+n })
	}
	if err := os.Rename(path, filepath.Join(dir, "z.yaml")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "b.yaml"), plugin("b", "oci://x/1"))
	until(t, results, nil, has("default/a", "default/b"))
}

func TestNewFoldersAreWatchedWithWhatIsAlreadyInThem(t *testing.T) {
	t.Parallel()
	dir := world(t, map[string]string{"a.yaml": plugin("a", "oci://x/1")})
	results := watch(t, dir)
	until(t, results, nil, has("default/a"))
	write(t, filepath.Join(dir, "x", "y", "b.yaml"), plugin("b", "oci://x/1"))
	until(t, results, nil, has("default/a", "default/b"))
	write(t, filepath.Join(dir, "x", "y", "b.yaml"), plugin("b", "oci://x/2"))
	until(t, results, nil, func(r Result) bool { return url(r, 1) == "oci://x/2" })
	if err := os.RemoveAll(filepath.Join(dir, "x")); err != nil {
		t.Fatal(err)
	}
	until(t, results, nil, has("default/a"))
	write(t, filepath.Join(dir, "x", "y", "b.yaml"), plugin("b", "oci://x/3"))
	until(t, results, nil, has("default/a", "default/b"))
}

func TestSwappedLinksAreFollowed(t *testing.T) {
	t.Parallel()
	// This is how Kubernetes updates a mounted ConfigMap.
	dir := world(t, map[string]string{"..one/a.yaml": plugin("a", "oci://x/1"), "..two/a.yaml": plugin("a", "oci://x/2")})
	link := func(to, at string) {
		if err := os.Symlink(to, filepath.Join(dir, at)); err != nil {
			t.Fatal(err)
		}
	}
	link("..one", "..data")
	link(filepath.Join("..data", "a.yaml"), "a.yaml")
	results := watch(t, dir)
	until(t, results, nil, func(r Result) bool { return len(r.Plugins) == 1 && url(r, 0) == "oci://x/1" })
	link("..two", "..data_tmp")
	if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	until(t, results, nil, func(r Result) bool { return len(r.Plugins) == 1 && url(r, 0) == "oci://x/2" })
	write(t, filepath.Join(dir, "..two", "a.yaml"), plugin("a", "oci://x/3"))
	until(t, results, nil, func(r Result) bool { return len(r.Plugins) == 1 && url(r, 0) == "oci://x/3" })
}

func TestARootThatComesBackIsReadAgain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(world(t, map[string]string{"m/a.yaml": plugin("a", "oci://x/1")}), "m")
	results := watch(t, dir)
	until(t, results, nil, has("default/a"))
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	r := until(t, results, nil, func(r Result) bool { return len(r.Errors) > 0 })
	if !has("default/a")(r) {
		t.Errorf("plugins %v; a folder that is away must not take plugins with it", names(r))
	}
	write(t, filepath.Join(dir, "b.yaml"), plugin("b", "oci://x/1"))
	until(t, results, nil, has("default/b"))
}

func TestASingleFileCanBeWatched(t *testing.T) {
	t.Parallel()
	dir := world(t, map[string]string{"a.yaml": plugin("a", "oci://x/1"), "b.yaml": plugin("b", "oci://x/1")})
	path := filepath.Join(dir, "a.yaml")
	results := watch(t, path)
	until(t, results, nil, has("default/a"))
	write(t, path, plugin("a", "oci://x/2"))
	until(t, results, nil, func(r Result) bool { return url(r, 0) == "oci://x/2" })
}

func TestARunOfQuickWritesEndsWithTheLastOne(t *testing.T) {
	t.Parallel()
	dir := world(t, map[string]string{"a.yaml": plugin("a", "oci://x/000")})
	path := filepath.Join(dir, "a.yaml")
	results := watch(t, dir)
	until(t, results, nil, has("default/a"))
	never := func(r Result) {
		if !has("default/a")(r) || len(r.Errors) > 0 {
			t.Errorf("plugins %v, errors %v", names(r), r.Errors)
		}
	}
	for i := range 200 {
		write(t, path, plugin("a", "oci://x/"+string(rune('a'+i%26))+"00"))
	}
	write(t, path, plugin("a", "oci://x/end"))
	until(t, results, never, func(r Result) bool { return url(r, 0) == "oci://x/end" })
}

func TestAnEmptiedFileKeepsItsObjectsForATenthOfASecond(t *testing.T) {
	t.Parallel()
	dir := world(t, map[string]string{"a.yaml": plugin("a", "oci://x/1")})
	path := filepath.Join(dir, "a.yaml")
	s := newSet([]string{dir}, nil)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s.refresh(start, nil)
	write(t, path, "")
	_, again := s.refresh(start.Add(time.Second), nil)
	if want := start.Add(time.Second + patience); !again.Equal(want) || !has("default/a")(s.result()) {
		t.Fatalf("again at %v, want %v; plugins %v", again, want, names(s.result()))
	}
	if s.refresh(start.Add(time.Second+patience-1), nil); !has("default/a")(s.result()) {
		t.Fatal("the plugin fell off too early")
	}
	none := func(string) bool { return false }
	if _, again := s.refresh(start.Add(time.Second+patience), none); !again.IsZero() || len(s.result().Plugins) != 0 {
		t.Fatalf("again %v, plugins %v; want none", again, names(s.result()))
	}
	noErrors(t, s.result())
}

func TestTheGenerationGrowsWithTheSpecAndOnlyWithIt(t *testing.T) {
	t.Parallel()
	dir := world(t, map[string]string{})
	path := filepath.Join(dir, "a.yaml")
	s := newSet([]string{dir}, nil)
	generation := func(content string, want int64) {
		t.Helper()
		write(t, path, content)
		s.refresh(time.Time{}, nil)
		r := s.result()
		noErrors(t, r)
		if got := r.Plugins[0].Generation; got != want {
			t.Errorf("generation %d, want %d", got, want)
		}
	}
	generation(plugin("a", "oci://x/1"), 1)
	generation("# comment\n"+plugin("a", "oci://x/1"), 1)
	generation(plugin("a\n  labels: {a: b}", "oci://x/1"), 1)
	generation(plugin("a", "oci://x/2"), 2)
	generation(plugin("a", "oci://x/1"), 3)
}
