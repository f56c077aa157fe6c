package server

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// epochs give each session of a proxy a text that none of its sessions had before, in this process or another: Envoy takes
// no notice of bytes that equal the last that it was sent, even if it refused them, so what a new session sends has to
// differ from what an earlier one sent. All proxies that connect for the same time have the same epoch, so that they share
// the bytes.
type epochs struct {
	mu sync.Mutex
	// process differs between controllers, and between runs of one.
	process string
	// era begins anew when counts became too many and was emptied.
	era    int
	counts map[string]int
}

// maxCounts bounds the memory of proxies that were here once.
const maxCounts = 20000

func newEpochs(now time.Time) *epochs {
	return &epochs{process: strconv.FormatInt(now.Unix(), 36) + rand.Text()[:8], counts: map[string]int{}}
}

// next is the epoch of a new session of a proxy's stream. The kind stands in it: a proxy may have a stream of each.
func (e *epochs) next(kind, stream string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	n, known := e.counts[stream]
	if !known && len(e.counts) >= maxCounts {
		e.era++
		clear(e.counts)
	}
	e.counts[stream] = n + 1
	return fmt.Sprintf("%s.%s%d.%d", e.process, kind, e.era, n)
}
