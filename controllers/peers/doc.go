// Package peers lets the leader count every proxy: each replica serves what its proxies acknowledged, run and refused, and
// the leader keeps a stream open to each of them. Nothing of it goes through the API server.
//
// A stream is NDJSON: the first line holds the whole state, later ones what changed, coalesced for Coalesce; an empty one
// every Heartbeat tells that the replica is alive. The same proxy may be known to two replicas for a moment, after it
// moved; to count it once is the reader's.
package peers

import (
	"time"

	"github.com/wasmpoint/wasmpoint/xds/acks"
)

// Path is where Handler is asked.
const Path = "/peers/v1/proxies"

// version is the form of the lines.
const version = 1

const (
	// Coalesce is how long a replica gathers changes before it sends them.
	Coalesce = 100 * time.Millisecond
	// Heartbeat is the longest time between two lines.
	Heartbeat = 5 * time.Second
	// Silence is how long the leader takes a stream without a line for alive.
	Silence = 15 * time.Second
	// Grace is how long a replica whose stream ended still counts. Its proxies connect elsewhere in that time.
	Grace = 10 * time.Second
)

// maxLine bounds one line, in bytes: some 100,000 proxies with ten slots.
const maxLine = 256 << 20

// line is one line of a stream.
type line struct {
	// Version and Replica stand in the first line only, whose Proxies are all that there are.
	Version int    `json:"version,omitempty"`
	Replica string `json:"replica,omitempty"`
	// Proxies are new or changed; Gone are the numbers (acks.Proxy.Number) of those that left.
	Proxies []acks.Proxy `json:"proxies,omitempty"`
	Gone    []uint64     `json:"gone,omitempty"`
}

func (l *line) empty() bool { return l.Replica == "" && len(l.Proxies)+len(l.Gone) == 0 }
