package modules_test

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/wasmpoint/wasmpoint/modules"
	rt "github.com/wasmpoint/wasmpoint/modules/registrytest"
	"github.com/wasmpoint/wasmpoint/modules/wasmtest"
)

// BenchmarkFirstFetch is the time from Want to Ready for a 3.3 MB module from a registry on this machine.
func BenchmarkFirstFetch(b *testing.B) {
	s := rt.Start(b)
	m, err := modules.New(modules.Options{Dir: b.TempDir(), Files: "/", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	done := make(chan string, 1000)
	m.Subscribe(func(owner string) { done <- owner })
	for i := range b.N {
		b.StopTimer()
		s.Push("a", fmt.Sprint(i), rt.PluginImage(wasmtest.PluginSized(fmt.Sprint(i), 3_300_000)))
		b.StartTimer()
		name := fmt.Sprint(i)
		m.Want(name, modules.Source{URL: s.Host + "/a:" + name})
		for !m.State(name).Ready {
			<-done
		}
	}
}

// BenchmarkWantKnown is the cost of asking for a module that is here: what each change of a plugin's configuration pays.
func BenchmarkWantKnown(b *testing.B) {
	s := rt.Start(b)
	s.Push("a", "1", rt.PluginImage(wasmtest.Plugin("x")))
	m, err := modules.New(modules.Options{Dir: b.TempDir(), Files: "/", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	done := make(chan string, 10)
	m.Subscribe(func(owner string) { done <- owner })
	for !m.Want("o", modules.Source{URL: s.Host + "/a:1"}).Ready {
		<-done
	}
	b.ResetTimer()
	for i := range b.N {
		m.Want("o", modules.Source{URL: s.Host + "/a:1", Generation: int64(i)})
	}
}
