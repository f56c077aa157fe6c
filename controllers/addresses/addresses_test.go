package addresses

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

func gateway(name string, explicit ...string) Request {
	return Request{Key: Key{"Gateway", "default", name}, Explicit: explicit}
}

func block(t *testing.T, s string) netip.Prefix {
	t.Helper()
	p, err := ParseBlock(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func allocate(t *testing.T, blk string, requests []Request, previous map[Key][]netip.Addr) Allocation {
	t.Helper()
	a, err := Allocate(block(t, blk), requests, previous)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTheSameObjectsInAnyOrderGetTheSameAddresses(t *testing.T) {
	var requests []Request
	for i := range 200 {
		requests = append(requests, gateway(fmt.Sprintf("g%d", i)))
	}
	// A block of 254 addresses makes sure that many keys collide.
	first := allocate(t, "127.64.0.0/24", requests, nil)
	seen := map[netip.Addr]bool{}
	for k, list := range first.Addresses {
		if len(list) != 1 || seen[list[0]] || !block(t, "127.64.0.0/24").Contains(list[0]) {
			t.Fatalf("%s got %v", k, list)
		}
		seen[list[0]] = true
	}
	if seen[netip.MustParseAddr("127.64.0.0")] || seen[netip.MustParseAddr("127.64.0.255")] {
		t.Error("the first or the last address of the block was given away")
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		rnd.Shuffle(len(requests), func(i, j int) { requests[i], requests[j] = requests[j], requests[i] })
		if again := allocate(t, "127.64.0.0/24", requests, nil); !reflect.DeepEqual(again, first) {
			t.Fatal("another order gave other addresses")
		}
	}
}

func TestANewObjectNeverMovesARunningOne(t *testing.T) {
	var requests []Request
	var previous map[Key][]netip.Addr
	for i := range 60 {
		// Names in falling order: without previous, every new one would win the collisions.
		requests = append(requests, gateway(fmt.Sprintf("g%02d", 99-i)))
		got := allocate(t, "127.64.0.0/26", requests, previous)
		for k, list := range previous {
			if !reflect.DeepEqual(got.Addresses[k], list) {
				t.Fatalf("%s moved from %v to %v", k, list, got.Addresses[k])
			}
		}
		previous = got.Addresses
	}
}

func TestAnExplicitLoopbackAddressIsHonoured(t *testing.T) {
	got := allocate(t, DefaultBlock, []Request{gateway("a", "127.9.9.9", "127.9.9.10", "127.9.9.9"), gateway("b", "10.0.0.1"), gateway("c", "None")}, nil)
	if s := fmt.Sprint(got.Addresses[Key{"Gateway", "default", "a"}]); s != "[127.9.9.9 127.9.9.10]" {
		t.Errorf("a got %s", s)
	}
	for _, n := range []string{"b", "c"} {
		if a, ok := got.Address(Key{"Gateway", "default", n}); !ok || !block(t, DefaultBlock).Contains(a) {
			t.Errorf("%s got %s", n, a)
		}
	}
	if len(got.Conflicts) > 0 {
		t.Errorf("conflicts: %v", got.Conflicts)
	}
}

func TestAnExplicitAddressTakesARunningAllocatedOne(t *testing.T) {
	before := allocate(t, DefaultBlock, []Request{gateway("a")}, nil)
	taken, _ := before.Address(Key{"Gateway", "default", "a"})
	after := allocate(t, DefaultBlock, []Request{gateway("a"), gateway("b", taken.String())}, before.Addresses)
	if b, _ := after.Address(Key{"Gateway", "default", "b"}); b != taken {
		t.Errorf("b asked for %s and got %s", taken, b)
	}
	if a, _ := after.Address(Key{"Gateway", "default", "a"}); a == taken {
		t.Error("two objects have one address")
	}
}

func TestAnExplicitAddressAskedForTwiceIsAConflict(t *testing.T) {
	a, b := gateway("a", "127.1.1.1"), gateway("b", "127.1.1.1")
	got := allocate(t, DefaultBlock, []Request{b, a}, nil)
	if len(got.Conflicts) != 1 {
		t.Fatalf("conflicts: %v", got.Conflicts)
	}
	text := got.Conflicts[0].String()
	if !strings.HasPrefix(text, "Gateway default/b: address 127.1.1.1 is taken by Gateway default/a, so it got 127.") {
		t.Errorf("got %q", text)
	}
	a.Ports, b.Ports = []int32{80}, []int32{81}
	if got := allocate(t, DefaultBlock, []Request{a, b}, nil); len(got.Conflicts) != 0 {
		t.Errorf("without a common port: %v", got.Conflicts)
	}
	b.Ports = []int32{81, 80}
	if got := allocate(t, DefaultBlock, []Request{a, b}, nil); len(got.Conflicts) != 1 {
		t.Errorf("with a common port: %v", got.Conflicts)
	}
}

func TestAFullBlockIsAnError(t *testing.T) {
	_, err := Allocate(block(t, "127.64.0.0/30"), []Request{gateway("a"), gateway("b"), gateway("c")}, nil)
	if err == nil || err.Error() != "address block 127.64.0.0/30 is full: no address for Gateway default/c; choose a larger block" {
		t.Errorf("got %v", err)
	}
}

func TestABlockOutsideLoopbackIsAnError(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.0/8":    "is not inside 127.0.0.0/8",
		"126.0.0.0/7":   "is not inside 127.0.0.0/8",
		"::1/128":       "is not inside 127.0.0.0/8",
		"127.0.0.1/31":  "has no room",
		"127.64.0.0":    "is not a prefix such as 127.64.0.0/12",
		"127.64.0.0/33": "is not a prefix such as 127.64.0.0/12",
	} {
		if _, err := ParseBlock(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", in, err, want)
		}
	}
}

func TestPrivilegedPortsAreShiftedWithoutCollision(t *testing.T) {
	got := ShiftPorts([][]int32{{80, 8080, 443, 9080, 80}}, 8000)
	want := map[int32]int32{80: 8081, 8080: 8080, 443: 8443, 9080: 9080}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := ShiftPorts([][]int32{{80, 8080}}, 0); !reflect.DeepEqual(got, map[int32]int32{80: 80, 8080: 8080}) {
		t.Errorf("offset 0: %v", got)
	}
	if got := ShiftPorts([][]int32{{80}, {8080}, {443, 8443}, {81}}, 8000); !reflect.DeepEqual(got, map[int32]int32{80: 8080, 8080: 8080, 443: 8444, 8443: 8443, 81: 8081}) {
		t.Errorf("two addresses do not share their ports: %v", got)
	}
	if got := ShiftPorts([][]int32{{1023, 65535}}, 65535-1023); got[1023] != 1024 {
		t.Errorf("no port is above 65535: %v", got)
	}
	if ShiftPort(1023, 8000) != 9023 || ShiftPort(1024, 8000) != 1024 {
		t.Error("1024 is the first port that everybody may bind")
	}
}

func TestTheOffsetFollowsWhatTheProcessMayBind(t *testing.T) {
	fail := func(err error) Listen {
		return func(string, string) (net.Listener, error) {
			return nil, &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", err)}
		}
	}
	cases := []struct {
		name       string
		configured int
		listen     Listen
		want       int32
	}{
		{"a configured offset is not questioned", 100, fail(syscall.EACCES), 100},
		{"a refused port shifts", AutomaticOffset, fail(syscall.EACCES), DefaultOffset},
		{"a port in use may be bound", AutomaticOffset, fail(syscall.EADDRINUSE), 0},
		{"another error is not about rights", AutomaticOffset, fail(errors.New("no network")), 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := DetectOffset(c.configured, "127.64.0.1", c.listen); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
	port := ""
	got := DetectOffset(AutomaticOffset, "127.64.0.1", func(network, address string) (net.Listener, error) {
		port = address
		return net.Listen(network, "127.0.0.1:0")
	})
	if got != 0 || port != "127.64.0.1:80" {
		t.Errorf("a free port: offset %d after trying %s", got, port)
	}
}
