package bootstrap_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/pki"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// volume is a folder with a token in the form in which the kubelet keeps it: token is a link to ..data/token, and ..data is
// a link to a folder of its own for each content.
type volume struct {
	t   *testing.T
	dir string
	n   int
}

func (v *volume) file() string { return filepath.Join(v.dir, "token") }

// put puts another token in, in one step.
func (v *volume) put(token string) {
	v.t.Helper()
	v.n++
	folder := fmt.Sprintf("..content-%d", v.n)
	next := filepath.Join(v.dir, "..data_tmp")
	for _, err := range []error{
		os.Mkdir(filepath.Join(v.dir, folder), 0o755),
		os.WriteFile(filepath.Join(v.dir, folder, "token"), []byte(token), 0o600),
		os.Symlink(folder, next),
		os.Rename(next, filepath.Join(v.dir, "..data")),
	} {
		if err != nil {
			v.t.Fatal(err)
		}
	}
	if _, err := os.Lstat(v.file()); err == nil {
		return
	}
	if err := os.Symlink("..data/token", v.file()); err != nil {
		v.t.Fatal(err)
	}
}

// gate is an xDS server that notes the tokens of its streams and takes those that it was told of.
type gate struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	mu     sync.Mutex
	accept string
	seen   []string
	open   map[chan struct{}]bool
}

func (g *gate) DeltaAggregatedResources(stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	md, _ := metadata.FromIncomingContext(stream.Context())
	got := fmt.Sprint(md.Get("authorization"))
	end := make(chan struct{})
	g.mu.Lock()
	g.seen = append(g.seen, got)
	refused := got != "[Bearer "+g.accept+"]"
	g.open[end] = true
	g.mu.Unlock()
	if refused {
		return status.Error(codes.Unauthenticated, "not this token")
	}
	select {
	case <-end:
	case <-stream.Context().Done():
	}
	return status.Error(codes.Unavailable, "try again")
}

// next ends all streams and takes another token from now on.
func (g *gate) next(token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.accept = token
	for end := range g.open {
		close(end)
		delete(g.open, end)
	}
}

func (g *gate) last() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.seen) == 0 {
		return "none"
	}
	return g.seen[len(g.seen)-1]
}

func TestARealEnvoySendsTheTokenThatTheKubeletPutThereLast(t *testing.T) {
	a := authority(t, "wasmpoint-system")
	for name, secure := range map[string]bool{"over TLS": true, "in plain text": false} {
		t.Run(name, func(t *testing.T) {
			v := &volume{t: t, dir: t.TempDir()}
			v.put("first")
			g := &gate{accept: "first", open: map[chan struct{}]bool{}}
			c := bootstrap.Config{
				ID: "p", Gateway: types.NamespacedName{Namespace: "shop", Name: "edge"}, Modules: "127.0.0.1:1",
				Admin: testbed.Address(testbed.FreePort(t)), TokenFile: v.file(),
			}
			var options []grpc.ServerOption
			if secure {
				options = append(options, grpc.Creds(credentials.NewTLS(serverTLS(t, a))))
				c.TLS = &bootstrap.TLS{CA: a.CAPEM(), Name: pki.ServerName("wasmpoint-system")}
			}
			server := grpc.NewServer(options...)
			discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, g)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go func() { _ = server.Serve(l) }()
			t.Cleanup(server.Stop)
			c.XDS = l.Addr().String()
			raw, err := bootstrap.JSON(c)
			if err != nil {
				t.Fatal(err)
			}
			testbed.StartEnvoy(t, raw)
			for _, token := range []string{"first", "second", "third"} {
				if token != "first" {
					v.put(token)
					g.next(token)
				}
				testbed.Eventually(t, 30*time.Second, "the token "+token+" arrives", func() (bool, string) {
					return g.last() == "[Bearer "+token+"]", g.last()
				})
			}
		})
	}
}

func TestAProxyWhoseTokenIsMissingSaysSo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	raw, err := bootstrap.JSON(bootstrap.Config{
		ID: "p", XDS: "127.0.0.1:1", Modules: "127.0.0.1:1", Admin: testbed.Address(testbed.FreePort(t)), TokenFile: file,
	})
	if err != nil {
		t.Fatal(err)
	}
	envoy := testbed.StartEnvoy(t, raw)
	testbed.Eventually(t, 20*time.Second, "it ends and names the file", func() (bool, string) {
		return !envoy.Running() && strings.Contains(envoy.Log(), file), envoy.Log()
	})
}

func TestAPathThatAFormatCannotHoldIsRefused(t *testing.T) {
	for _, file := range []string{"token", "/a:b", "/a%b", "/a(b", "/a)b"} {
		_, err := bootstrap.JSON(bootstrap.Config{
			ID: "p", XDS: "127.0.0.1:1", Modules: "127.0.0.1:1", Admin: "127.0.0.1:1", TokenFile: file,
		})
		if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("bootstrap: TokenFile %q must be an absolute path", file)) {
			t.Errorf("%s: %v", file, err)
		}
	}
}
