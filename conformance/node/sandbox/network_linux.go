package sandbox

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Bridge joins Pods to the network namespace of this program.
type Bridge struct {
	link  *netlink.Bridge
	block netip.Prefix
}

// NewBridge makes a bridge that has the first address of the block. Addresses of the block must not be local already.
func NewBridge(name string, block netip.Prefix) (*Bridge, error) {
	b := &Bridge{block: block.Masked()}
	second := b.Address().Next()
	routes, err := netlink.RouteGet(net.IP(second.AsSlice()))
	if err == nil && len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL {
		return nil, fmt.Errorf("address block %s: its addresses are local in this network namespace; make fewer addresses local, or choose another block", block)
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name = name
	b.link = &netlink.Bridge{LinkAttrs: attributes}
	if err := netlink.LinkAdd(b.link); err != nil {
		return nil, fmt.Errorf("bridge %s: %w; run inside a network namespace of your own (conformance/suite/netns)", name, err)
	}
	err = addAddress(b.link, netip.PrefixFrom(b.Address(), block.Bits()))
	if err == nil {
		err = netlink.LinkSetUp(b.link)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bridge %s: %w", name, err), b.Close())
	}
	return b, nil
}

// Address is the bridge's own: this program, seen from a Pod.
func (b *Bridge) Address() netip.Addr { return b.block.Addr().Next() }

// Close takes the bridge away.
func (b *Bridge) Close() error { return netlink.LinkDel(b.link) }

// Sandbox is the network namespace of one Pod.
type Sandbox struct {
	network *os.File
	link    string
	// dials are those under way, which keep the namespace open, and so do those that enter it.
	dials sync.RWMutex
}

// enter puts the current thread into the namespace.
func (s *Sandbox) enter() error {
	s.dials.RLock()
	defer s.dials.RUnlock()
	if err := unix.Setns(int(s.network.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("entering the Pod's network namespace: %w", err)
	}
	return nil
}

// Join makes a network namespace with a loopback interface, eth0 with the address, and a default route to the bridge.
// Sysctls are those of the namespace, as net.ipv4.ip_unprivileged_port_start.
func (b *Bridge) Join(address netip.Addr, sysctls map[string]string) (*Sandbox, error) {
	s := &Sandbox{}
	made := make(chan error, 1)
	onThread(func() {
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			s.network, err = namespaceOfThread("net")
		}
		made <- err
	})
	if err := <-made; err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name, attributes.MasterIndex = linkName(address), b.link.Index
	pair := &netlink.Veth{LinkAttrs: attributes, PeerName: "eth0", PeerNamespace: netlink.NsFd(int(s.network.Fd()))}
	if err := netlink.LinkAdd(pair); err != nil {
		return nil, errors.Join(fmt.Errorf("interface of %s: %w", address, err), s.Close())
	}
	s.link = attributes.Name
	err := netlink.LinkSetUp(pair)
	if err == nil {
		err = inNetwork(s.network, func() error { return b.configure(address, sysctls) })
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("network of %s: %w", address, err), s.Close())
	}
	return s, nil
}

// Dial connects from inside the namespace, as a process of the Pod would: 127.0.0.1 is the Pod's own. The address is an IP.
func (s *Sandbox) Dial(ctx context.Context, address netip.AddrPort) (conn net.Conn, err error) {
	s.dials.RLock()
	defer s.dials.RUnlock()
	err = inNetwork(s.network, func() error { // for one address, a Dialer has no goroutine of its own
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", address.String())
		return err
	})
	return conn, err
}

// configure runs inside the namespace.
func (b *Bridge) configure(address netip.Addr, sysctls map[string]string) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	eth, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	if err := addAddress(eth, netip.PrefixFrom(address, b.block.Bits())); err != nil {
		return err
	}
	if err := errors.Join(netlink.LinkSetUp(lo), netlink.LinkSetUp(eth)); err != nil {
		return err
	}
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: eth.Attrs().Index, Gw: net.IP(b.Address().AsSlice())}); err != nil {
		return fmt.Errorf("default route: %w", err)
	}
	for name, value := range sysctls {
		if !strings.HasPrefix(name, "net.") || strings.ContainsAny(name, "/") {
			return fmt.Errorf("sysctl %q: only those of a network namespace (net.*) can be set", name)
		}
		path := filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
		if err := os.WriteFile(path, []byte(value), 0); err != nil {
			return fmt.Errorf("sysctl %s=%s: %w", name, value, err)
		}
	}
	return nil
}

// Close takes the interface away, and the namespace with its last process.
func (s *Sandbox) Close() error {
	var err error
	if s.link != "" { // before the namespace, which would take it along at some time
		var link netlink.Link
		if link, err = netlink.LinkByName(s.link); err == nil {
			err = netlink.LinkDel(link)
		}
	}
	s.dials.Lock()
	defer s.dials.Unlock()
	return errors.Join(err, s.network.Close())
}

func addAddress(link netlink.Link, address netip.Prefix) error {
	ip := &net.IPNet{IP: address.Addr().AsSlice(), Mask: net.CIDRMask(address.Bits(), address.Addr().BitLen())}
	err := netlink.AddrAdd(link, &netlink.Addr{IPNet: ip})
	if errors.Is(err, syscall.EEXIST) {
		return nil
	}
	return err
}

// linkName is short enough for an interface (15 characters) and different for each address.
func linkName(address netip.Addr) string {
	sum := sha256.Sum256(address.AsSlice())
	return fmt.Sprintf("pod%x", sum[:5])
}
