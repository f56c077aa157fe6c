package peers

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/pki"
	"github.com/wasmpoint/wasmpoint/xds/acks"
)

var gw = types.NamespacedName{Namespace: "shop", Name: "edge"}

// testReplica is one replica in this process: a registry, and a server on a real socket.
type testReplica struct {
	t        *testing.T
	name     string
	registry *acks.Registry
	address  string
	stop     context.CancelFunc
}

// startReplica starts one; an address of "" takes a free port.
func startReplica(t *testing.T, name, address string, secure *tls.Config) *testReplica {
	t.Helper()
	if address == "" {
		address = "127.0.0.1:0"
	}
	changes := &Changes{}
	r := &testReplica{t: t, name: name, registry: acks.NewRegistry(acks.Events{Changed: changes.Notify})}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	r.address = l.Addr().String()
	if secure != nil {
		l = tls.NewListener(l, secure)
	}
	server := &http.Server{Handler: Handler(r.registry, name, changes, func(Fetch) {})}
	go func() { _ = server.Serve(l) }()
	r.stop = func() { _ = server.Close() }
	t.Cleanup(r.stop)
	return r
}

// connect adds n proxies that run a variant.
func (r *testReplica) connect(n int, variant string) []*acks.Handle {
	var out []*acks.Handle
	for i := range n {
		h := r.registry.Connect(fmt.Sprint("proxy-", i), gw, "1.40.0", time.Now())
		h.SetSlot("slot", acks.Slot{Version: "1-" + variant, Running: []string{variant}, Synced: true})
		out = append(out, h)
	}
	return out
}

// world is the sink of a test.
type world struct {
	mu    sync.Mutex
	peers map[string][]acks.Proxy
	drops []string
	sets  int
}

func (w *world) SetPeer(replica string, proxies []acks.Proxy) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.peers[replica] = proxies
	w.sets++
}

func (w *world) DropPeer(replica string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.peers, replica)
	w.drops = append(w.drops, replica)
}

// counts is "replica:proxies/running" of every replica.
func (w *world) counts(variant string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for name, proxies := range w.peers {
		running := 0
		for _, p := range proxies {
			if p.Runs("slot", variant) {
				running++
			}
		}
		out = append(out, fmt.Sprintf("%s:%d/%d", name, running, len(proxies)))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (w *world) eventually(t *testing.T, variant, want string) {
	t.Helper()
	testbed.Eventually(t, 20*time.Second, "counts "+want, func() (bool, string) {
		got := w.counts(variant)
		return got == want, got
	})
}

// list is a list of addresses that a test changes.
type list struct {
	mu        sync.Mutex
	addresses []string
	changed   chan struct{}
}

func newList(addresses ...string) *list {
	return &list{addresses: addresses, changed: make(chan struct{}, 1)}
}

func (l *list) get() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.addresses)
}

func (l *list) set(addresses ...string) {
	l.mu.Lock()
	l.addresses = addresses
	l.mu.Unlock()
	l.changed <- struct{}{}
}

// lead runs a leader; it stops with the test, or with the returned function, which waits for it.
func lead(t *testing.T, o Options, l *list) (w *world, stop func()) {
	t.Helper()
	w = &world{peers: map[string][]acks.Proxy{}}
	o.Sink, o.Peers, o.Changed = w, l.get, l.changed
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		Run(ctx, o)
		close(done)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return w, stop
}

func TestTheLeaderCountsTheProxiesOfAllReplicas(t *testing.T) {
	self := startReplica(t, "a", "", nil)
	b, c := startReplica(t, "b", "", nil), startReplica(t, "c", "", nil)
	self.connect(7, "v1")
	ofB := b.connect(3, "v1")
	l := newList(self.address, b.address)
	complete := make(chan struct{})
	w, stop := lead(t, Options{Self: "a", Grace: time.Minute, Complete: func() { close(complete) }}, l)
	<-complete // well before the grace, and with the state of b
	if got := w.counts("v1"); got != "b:3/3" {
		t.Errorf("when complete: %s", got)
	}

	c.connect(2, "v1")
	l.set(self.address, b.address, c.address)
	w.eventually(t, "v1", "b:3/3 c:2/2")
	ofB[0].SetSlot("slot", acks.Slot{Version: "1-v2", Running: []string{"v2"}})
	ofB[1].Refuse("v2", "no", time.Now())
	w.eventually(t, "v1", "b:2/3 c:2/2")
	testbed.Eventually(t, 10*time.Second, "the refusal", func() (bool, string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.peers["b"][1].Refused["v2"].Text == "no", fmt.Sprintf("%+v", w.peers["b"][1])
	})
	for _, h := range ofB {
		h.Disconnect()
	}
	w.eventually(t, "v1", "b:0/0 c:2/2")
	stop()
	if got := w.counts("v1"); got != "" || !slices.Equal(w.drops, []string{"b", "c"}) {
		t.Errorf("after the end: %s, dropped %v", got, w.drops)
	}
}

func TestTwoProxiesOfTheSameNameAreTwo(t *testing.T) {
	b := startReplica(t, "b", "", nil)
	now := time.Now()
	one, two := b.registry.Connect("same", gw, "1.40.0", now), b.registry.Connect("same", gw, "1.40.0", now)
	one.SetSlot("slot", acks.Slot{Running: []string{"v1"}})
	w, _ := lead(t, Options{Self: "a"}, newList(b.address))
	w.eventually(t, "v1", "b:1/2")
	two.SetSlot("slot", acks.Slot{Running: []string{"v1"}})
	w.eventually(t, "v1", "b:2/2")
	one.Disconnect()
	w.eventually(t, "v1", "b:1/1")
}

func TestAKilledReplicaCountsUntilItsGraceIsOver(t *testing.T) {
	b := startReplica(t, "b", "", nil)
	b.connect(3, "v1")
	l := newList(b.address)
	w, _ := lead(t, Options{Self: "a", Grace: time.Second}, l)
	w.eventually(t, "v1", "b:3/3")
	killed := time.Now()
	b.stop()
	w.eventually(t, "v1", "")
	if after := time.Since(killed); after < 900*time.Millisecond {
		t.Errorf("dropped after %s", after)
	}
	again := startReplica(t, "b", b.address, nil)
	again.connect(1, "v1")
	w.eventually(t, "v1", "b:1/1")
}

func TestAReplicaThatComesBackInTimeReplacesItsState(t *testing.T) {
	b := startReplica(t, "b", "", nil)
	b.connect(3, "v1")
	w, _ := lead(t, Options{Self: "a", Grace: time.Minute}, newList(b.address))
	w.eventually(t, "v1", "b:3/3")
	b.stop()
	again := startReplica(t, "b", b.address, nil)
	again.connect(1, "v2")
	w.eventually(t, "v2", "b:1/1")
	if len(w.drops) > 0 {
		t.Errorf("dropped %v", w.drops)
	}
}

func TestAReplicaMayMoveToAnotherAddress(t *testing.T) {
	b := startReplica(t, "b", "", nil)
	b.connect(3, "v1")
	l := newList(b.address)
	w, _ := lead(t, Options{Self: "a", Grace: time.Minute}, l)
	w.eventually(t, "v1", "b:3/3")
	moved := startReplica(t, "b", "", nil)
	moved.connect(2, "v1")
	l.set(moved.address)
	b.stop()
	w.eventually(t, "v1", "b:2/2")
}

func TestAReplicaThatFallsSilentIsDropped(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// It tells its state once, and then neither speaks nor ends, as after a cut in the network.
	end := make(chan struct{})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintln(w, `{"version":1,"replica":"b","proxies":[{"number":1,"id":"p","slots":{"slot":{"running":["v1"]}}}]}`)
		_ = http.NewResponseController(w).Flush()
		<-end
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { close(end); _ = server.Close() })
	addresses := newList(l.Addr().String())
	w, _ := lead(t, Options{Self: "a", Grace: 300 * time.Millisecond, Silence: 500 * time.Millisecond}, addresses)
	w.eventually(t, "v1", "b:1/1")
	addresses.set() // so that it is not asked again, and the drop stays
	w.eventually(t, "v1", "")
}

func TestAHeartbeatKeepsAQuietStreamAlive(t *testing.T) {
	b := startReplica(t, "b", "", nil)
	b.connect(1, "v1")
	w, _ := lead(t, Options{Self: "a", Grace: 10 * time.Millisecond, Silence: Heartbeat + 2*time.Second}, newList(b.address))
	w.eventually(t, "v1", "b:1/1")
	timer := time.NewTimer(2*Heartbeat + time.Second)
	<-timer.C
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sets != 1 || len(w.drops) > 0 {
		t.Errorf("%d states were told, %v dropped; want one state", w.sets, w.drops)
	}
}

// peerTLS is both sides' configuration by a new CA.
func peerTLS(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	cert, key, err := pki.Generate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	a, err := pki.New("wasmpoint-system", cert, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	if server, client, err = a.Peer(); err != nil {
		t.Fatal(err)
	}
	return server, client
}

func TestAStrangerIsRefusedOnBothSides(t *testing.T) {
	strangeClient := func(c *tls.Config) *tls.Config {
		c.VerifyConnection = nil // it takes everybody; whether it is taken is what the test asks
		return c
	}
	server, client := peerTLS(t)
	strangeServer, other := peerTLS(t)
	b, stranger := startReplica(t, "b", "", server), startReplica(t, "s", "", strangeServer)
	b.connect(2, "v1")
	stranger.connect(5, "v1")
	complete := make(chan struct{})
	w, _ := lead(t, Options{Self: "a", TLS: client, Grace: time.Second, Complete: func() { close(complete) }}, newList(b.address, stranger.address))
	w.eventually(t, "v1", "b:2/2")
	<-complete // the stranger is not waited for longer than the grace
	if got := w.counts("v1"); got != "b:2/2" {
		t.Errorf("got %s", got)
	}
	for name, config := range map[string]*tls.Config{
		"without certificate": {InsecureSkipVerify: true}, "with another CA's": strangeClient(other),
	} {
		c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: config}}
		if _, _, err := testbed.Get(&c, "https://"+b.address+Path); err == nil || !strings.Contains(err.Error(), "remote error: tls:") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestChangesOfABurstAreToldTogether(t *testing.T) {
	b := startReplica(t, "b", "", nil)
	handles := b.connect(50, "v1")
	w, _ := lead(t, Options{Self: "a"}, newList(b.address))
	w.eventually(t, "v1", "b:50/50")
	for _, h := range handles {
		h.SetSlot("slot", acks.Slot{Version: "1-v2", Running: []string{"v2"}})
	}
	w.eventually(t, "v2", "b:50/50")
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sets > 10 {
		t.Errorf("50 changes were told in %d steps", w.sets-1)
	}
}
