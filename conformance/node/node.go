package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"

	"github.com/wasmpoint/wasmpoint/conformance/node/sandbox"
	"github.com/wasmpoint/wasmpoint/conformance/node/services"
	"github.com/wasmpoint/wasmpoint/conformance/node/volumes"
)

// Options are what a node is made of.
type Options struct {
	// Config may do everything in the cluster.
	Config *rest.Config
	// Images are what runs in place of container images; the first one that matches counts.
	Images []Image
	// Name is the Node's, "node" unless given.
	Name string
	// Block is where Pods get their addresses from, 10.244.0.0/24 unless given. Its first address is this program's, as
	// Pods see it: what is to be reached from them listens there, or behind a Service.
	Block netip.Prefix
	// Folder gets logs and what the Pods hold; one of the test's unless given.
	Folder string
	// Log gets what goes wrong in the node itself; nobody unless given.
	Log *slog.Logger
	// Services chooses those whose addresses the node relays; all unless given.
	Services func(*corev1.Service) bool
	// BackOff is the first pause after a container crashed twice, 10 s unless given, as kubelet has it; the next ones are
	// twice as long each.
	BackOff time.Duration
	// RenewTokensAt is the part of a token's life after which it is replaced, 0.8 unless given, as kubelet has it.
	RenewTokensAt float64
}

// Node is a running node.
type Node struct {
	options      Options
	log          *slog.Logger
	client       kubernetes.Interface
	factory      informers.SharedInformerFactory
	events       record.EventRecorder
	bridge       *sandbox.Bridge
	source       *volumes.Source
	apiServiceIP string
	ends         []func() error // what Stop does, the last one first

	ctx     context.Context
	end     context.CancelFunc
	running sync.WaitGroup

	mu        sync.Mutex
	stopped   bool
	pods      map[types.UID]*pod
	addresses map[netip.Addr]bool
	next      netip.Addr
}

// bridgeName is short enough for an interface.
const bridgeName = "pods"

// Start starts a node inside the network namespace of this program, whose loopback interface must be up, and stops it when
// the test ends. A failed test prints the end of each container's log.
func Start(t testing.TB, o Options) *Node {
	t.Helper()
	if o.Folder == "" {
		o.Folder = t.TempDir()
	}
	n, err := start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(); err != nil {
			t.Errorf("the node: %v", err)
		}
		if t.Failed() {
			t.Log(n.Logs())
		}
	})
	return n
}

func start(o Options) (*Node, error) {
	o.Name = cmp.Or(o.Name, "node")
	o.BackOff = cmp.Or(o.BackOff, 10*time.Second)
	o.RenewTokensAt = cmp.Or(o.RenewTokensAt, 0.8)
	if !o.Block.IsValid() {
		o.Block = netip.MustParsePrefix("10.244.0.0/24")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Services == nil {
		o.Services = func(*corev1.Service) bool { return true }
	}
	n := &Node{options: o, log: o.Log, pods: map[types.UID]*pod{}, addresses: map[netip.Addr]bool{}}
	n.ctx, n.end = context.WithCancel(context.Background())
	if err := n.set(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting node %s: %w", o.Name, err), n.Stop())
	}
	return n, nil
}

// set puts up all parts of the node.
func (n *Node) set() (err error) {
	if err := os.MkdirAll(filepath.Join(n.options.Folder, "logs"), 0o755); err != nil {
		return err
	}
	config := rest.CopyConfig(n.options.Config)
	config.UserAgent, config.QPS = "wasmpoint-node", -1
	if n.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	n.source = &volumes.Source{Client: n.client, Tokens: volumes.NewTokens(n.client, n.options.RenewTokensAt)}
	api, err := n.client.CoreV1().Services(metav1.NamespaceDefault).Get(n.ctx, "kubernetes", metav1.GetOptions{})
	if err != nil {
		return err
	}
	n.apiServiceIP = api.Spec.ClusterIP
	if n.bridge, err = sandbox.NewBridge(bridgeName, n.options.Block); err != nil {
		return err
	}
	n.ends = append(n.ends, n.bridge.Close)
	n.next = n.bridge.Address().Next()
	n.record()
	n.factory = informers.NewSharedInformerFactory(n.client, 0)
	n.ends = append(n.ends, func() error {
		n.factory.Shutdown()
		return nil
	})
	dns, err := services.ServeDNS(n.bridge.Address(), n.factory, n.log)
	if err != nil {
		return err
	}
	n.ends = append(n.ends, dns.Close)
	// The API server serves on an address that is not the network namespace's of a Pod, and has no EndpointSlice.
	fixed := map[types.NamespacedName]string{{Namespace: api.Namespace, Name: api.Name}: hostOf(config.Host)}
	relay, err := services.NewRelay(n.factory, n.options.Services, fixed, n.log)
	if err != nil {
		return err
	}
	n.ends = append(n.ends, func() error {
		relay.Stop()
		return nil
	})
	if err := services.Balance(n.ctx, n.client, n.factory, n.options.Services, n.log); err != nil {
		return err
	}
	if err := n.register(); err != nil {
		return err
	}
	if err := n.watch(); err != nil {
		return err
	}
	n.factory.Start(n.ctx.Done())
	for kind, synced := range n.factory.WaitForCacheSync(n.ctx.Done()) {
		if !synced {
			return fmt.Errorf("%s cannot be read", kind)
		}
	}
	return nil
}

// hostOf is HOST:PORT of an API server's URL.
func hostOf(url string) string {
	_, host, found := strings.Cut(url, "://")
	if !found {
		host = url
	}
	host, _, _ = strings.Cut(host, "/")
	return host
}

// Stop is a node that loses power: the processes of its Pods end at once, and what the node had on this machine is taken
// away. Objects stay as they are. Logs stay in the folder.
func (n *Node) Stop() error {
	n.mu.Lock()
	n.stopped = true
	n.mu.Unlock()
	n.end()
	n.running.Wait()
	var problems []error
	for _, end := range slices.Backward(n.ends) {
		problems = append(problems, end())
	}
	n.ends = nil // so that it may be stopped again
	return errors.Join(problems...)
}

// Address is this program's, as Pods see it.
func (n *Node) Address() netip.Addr { return n.bridge.Address() }

// takeAddress gives a free address, the longest unused ones first.
func (n *Node) takeAddress() (netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	block := n.options.Block
	for range 1 << min(16, 32-block.Bits()) {
		a := n.next
		n.next = a.Next()
		if !block.Contains(n.next.Next()) { // the last one is for broadcasts
			n.next = n.bridge.Address().Next()
		}
		if !n.addresses[a] {
			n.addresses[a] = true
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("address block %s is used up; start the node with a larger one", block)
}

func (n *Node) giveAddress(a netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.addresses, a)
}
