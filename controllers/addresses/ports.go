package addresses

import (
	"errors"
	"net"
	"os"
	"slices"
)

const (
	// AutomaticOffset asks DetectOffset to decide whether privileged ports are shifted.
	AutomaticOffset = -1
	// DefaultOffset is by how much privileged ports are shifted when the process may not bind them: 80 becomes 8080.
	DefaultOffset = 8000
	// privileged is the first port that everybody may bind.
	privileged = 1024
	maxPort    = 65535
)

// ShiftPort is the port to listen on in place of a port of a manifest: ports below 1024 move by offset, others stay.
func ShiftPort(port, offset int32) int32 {
	if port < privileged {
		return port + offset
	}
	return port
}

// ShiftPorts is ShiftPort for all ports of all addresses: one map, so that a port moves to the same place everywhere. Each
// list has the ports of one address. A shifted port that meets another one of any address that it is on (80 and 8080 with
// offset 8000) moves on to the next free port. The result has every port of the lists as a key.
func ShiftPorts(addresses [][]int32, offset int32) map[int32]int32 {
	var sorted []int32
	for _, ports := range addresses {
		sorted = append(sorted, ports...)
	}
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	out := make(map[int32]int32, len(sorted))
	for _, p := range sorted {
		if ShiftPort(p, offset) == p {
			out[p] = p
		}
	}
	for _, p := range sorted {
		if _, done := out[p]; done {
			continue
		}
		taken := map[int32]bool{}
		for _, ports := range addresses {
			if slices.Contains(ports, p) {
				for _, other := range ports {
					taken[out[other]] = true // 0 for one that has no place yet
				}
			}
		}
		q := ShiftPort(p, offset)
		for taken[q] {
			if q++; q > maxPort {
				q = privileged
			}
		}
		out[p] = q
	}
	return out
}

// Listen opens a listener; net.Listen is one.
type Listen func(network, address string) (net.Listener, error)

// DetectOffset is the offset in force: configured, unless that is AutomaticOffset. Then a privileged port of address is
// tried: 0 when it may be bound (a port in use may), DefaultOffset when the system refuses. Envoy gets the same rights
// as this process.
func DetectOffset(configured int, address string, listen Listen) int32 {
	if configured != AutomaticOffset {
		return int32(configured)
	}
	l, err := listen("tcp", net.JoinHostPort(address, "80"))
	if err == nil {
		_ = l.Close()
		return 0
	}
	if errors.Is(err, os.ErrPermission) {
		return DefaultOffset
	}
	return 0
}
