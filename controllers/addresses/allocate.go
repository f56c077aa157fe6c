package addresses

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
)

// DefaultBlock is the part of 127.0.0.0/8 from which addresses are taken: far from 127.0.0.1 and from the 127.0.0.53
// and 127.0.1.1 that distributions use.
const DefaultBlock = "127.64.0.0/12"

// loopback is what may be listened on without touching the network.
var loopback = netip.MustParsePrefix("127.0.0.0/8")

// Key names the object that needs an address.
type Key struct {
	Kind      string
	Namespace string
	Name      string
}

// String is "Kind namespace/name".
func (k Key) String() string { return k.Kind + " " + k.Namespace + "/" + k.Name }

func (k Key) compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Kind, o.Kind), cmp.Compare(k.Namespace, o.Namespace), cmp.Compare(k.Name, o.Name))
}

// Request asks for an address for one object.
type Request struct {
	Key
	// Explicit are the addresses that the object's manifest asks for (Gateway spec.addresses of type IPAddress, Service
	// spec.clusterIP, ServiceEntry spec.addresses). Those in 127.0.0.0/8 are given; all others cannot be listened on here
	// and are left aside.
	Explicit []string
	// Ports that the object listens on. Two objects may share an explicit address when they share no port; no ports means
	// all of them.
	Ports []int32
}

// Conflict is an explicit address that an object asked for and did not get. It got another one.
type Conflict struct {
	Key     Key
	Address netip.Addr
	// Owner is the object that has the address.
	Owner Key
	// Got is the address that Key got instead.
	Got netip.Addr
}

// String says what happened and what to do.
func (c Conflict) String() string {
	return fmt.Sprintf("%s: address %s is taken by %s, so it got %s; give one of them another address", c.Key, c.Address, c.Owner, c.Got)
}

// Allocation is the result of Allocate.
type Allocation struct {
	// Addresses has at least one address for every request: the explicit ones in their order, or the one allocated.
	Addresses map[Key][]netip.Addr
	// Conflicts are sorted by key.
	Conflicts []Conflict
}

// Address is the first address of an object, and false when the object was not in the requests.
func (a Allocation) Address(k Key) (netip.Addr, bool) {
	list := a.Addresses[k]
	if len(list) == 0 {
		return netip.Addr{}, false
	}
	return list[0], true
}

// ParseBlock reads an address block, which has to be a prefix inside 127.0.0.0/8 with room for at least two addresses.
func ParseBlock(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("address block %q is not a prefix such as %s: %w", s, DefaultBlock, err)
	}
	if p.Bits() < loopback.Bits() || !loopback.Contains(p.Addr()) {
		return p, fmt.Errorf("address block %s is not inside %s: standalone listens on loopback addresses only; use one such as %s", s, loopback, DefaultBlock)
	}
	if p.Bits() > 30 {
		return p, fmt.Errorf("address block %s has no room; use a prefix of /30 or shorter, such as %s", s, DefaultBlock)
	}
	return p.Masked(), nil
}

// Allocate gives every request its addresses. Explicit ones come first; who sorts first by kind, namespace and name gets
// an address that two ask for. Everybody else keeps the address of previous (nil at start) where that is still free, so
// that a new object never moves a running one; then comes the hash of the key in the block with linear probing. Without
// previous the result depends on the set of objects only. The first and the last address of the block are not used.
// It fails when the block has fewer free addresses than objects need.
func Allocate(block netip.Prefix, requests []Request, previous map[Key][]netip.Addr) (Allocation, error) {
	sorted := slices.Clone(requests)
	slices.SortFunc(sorted, func(a, b Request) int { return a.compare(b.Key) })
	sorted = slices.CompactFunc(sorted, func(a, b Request) bool { return a.Key == b.Key })

	out := Allocation{Addresses: make(map[Key][]netip.Addr, len(sorted))}
	used := map[netip.Addr][]Request{}
	lost := map[Key][]Conflict{}
	for _, r := range sorted {
		for _, a := range explicit(r) {
			if owner, clash := clashes(used[a], r); clash {
				lost[r.Key] = append(lost[r.Key], Conflict{Key: r.Key, Address: a, Owner: owner})
				continue
			}
			used[a] = append(used[a], r)
			out.Addresses[r.Key] = append(out.Addresses[r.Key], a)
		}
	}
	for _, r := range sorted {
		for _, a := range previous[r.Key] {
			if len(out.Addresses[r.Key]) == 0 && len(used[a]) == 0 && usable(block, a) {
				used[a] = append(used[a], r)
				out.Addresses[r.Key] = []netip.Addr{a}
			}
		}
	}
	for _, r := range sorted {
		if len(out.Addresses[r.Key]) == 0 {
			a, ok := probe(block, r.Key, used)
			if !ok {
				return Allocation{}, fmt.Errorf("address block %s is full: no address for %s; choose a larger block", block, r.Key)
			}
			used[a] = append(used[a], r)
			out.Addresses[r.Key] = []netip.Addr{a}
		}
		for _, c := range lost[r.Key] {
			c.Got = out.Addresses[r.Key][0]
			out.Conflicts = append(out.Conflicts, c)
		}
	}
	return out, nil
}

// explicit are the addresses of a request that can be given here, each once.
func explicit(r Request) []netip.Addr {
	var out []netip.Addr
	for _, s := range r.Explicit {
		a, err := netip.ParseAddr(s)
		if err == nil && loopback.Contains(a) && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// clashes finds an owner of an address with a port in common.
func clashes(owners []Request, r Request) (Key, bool) {
	for _, o := range owners {
		if len(o.Ports) == 0 || len(r.Ports) == 0 {
			return o.Key, true
		}
		for _, p := range r.Ports {
			if slices.Contains(o.Ports, p) {
				return o.Key, true
			}
		}
	}
	return Key{}, false
}

// usable leaves out the first and the last address of the block.
func usable(block netip.Prefix, a netip.Addr) bool {
	return block.Contains(a) && a != block.Masked().Addr() && block.Contains(a.Next())
}

// probe walks the block from the hash of the key to the first free address.
func probe(block netip.Prefix, k Key, used map[netip.Addr][]Request) (netip.Addr, bool) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(k.Kind + "\x00" + k.Namespace + "\x00" + k.Name))
	size := uint64(1)<<(32-block.Bits()) - 2
	first := block.Masked().Addr().As4()
	base := uint64(first[0])<<24 | uint64(first[1])<<16 | uint64(first[2])<<8 | uint64(first[3])
	start := h.Sum64() % size
	for i := range size {
		n := base + 1 + (start+i)%size
		a := netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		if len(used[a]) == 0 {
			return a, true
		}
	}
	return netip.Addr{}, false
}
