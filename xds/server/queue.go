package server

import (
	"container/heap"
	"time"
)

// queue orders slots: what changed alone goes before what changed in bulk, then first come, first served.
type queue struct {
	items   turnHeap
	byName  map[string]*turn
	waiting map[string]time.Time
	order   uint64
}

type turn struct {
	name  string
	width int
	order uint64
	index int
}

// bulk tells that the slot changed with more others than may be in flight.
func (t *turn) bulk() bool { return t.width > maxInFlight }

// push queues a slot, or moves it forward when it changed alone now.
func (q *queue) push(name string, width int) {
	if q.byName == nil {
		q.byName = map[string]*turn{}
	}
	delete(q.waiting, name)
	if t := q.byName[name]; t != nil {
		if width < t.width {
			t.width = width
			heap.Fix(&q.items, t.index)
		}
		return
	}
	q.order++
	t := &turn{name: name, width: width, order: q.order}
	q.byName[name] = t
	heap.Push(&q.items, t)
}

// postpone queues a slot again at a later time.
func (q *queue) postpone(name string, at time.Time) {
	if q.waiting == nil {
		q.waiting = map[string]time.Time{}
	}
	q.waiting[name] = at
}

// pop takes the next slot and tells whether it changed in bulk. Without alsoBulk only what did not is taken.
func (q *queue) pop(now time.Time, alsoBulk bool) (name string, bulk, ok bool) {
	for name, at := range q.waiting {
		if !now.Before(at) {
			q.push(name, 1)
		}
	}
	if len(q.items) == 0 || q.items[0].bulk() && !alsoBulk {
		return "", false, false
	}
	t := heap.Pop(&q.items).(*turn)
	delete(q.byName, t.name)
	return t.name, t.bulk(), true
}

// due is when a postponed slot comes up, zero for never.
func (q *queue) due() time.Time {
	var out time.Time
	for _, at := range q.waiting {
		out = earliest(out, at)
	}
	return out
}

type turnHeap []*turn

func (h turnHeap) Len() int { return len(h) }
func (h turnHeap) Less(i, j int) bool {
	if h[i].width != h[j].width {
		return h[i].width < h[j].width
	}
	return h[i].order < h[j].order
}
func (h turnHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *turnHeap) Push(x any) {
	t := x.(*turn)
	t.index = len(*h)
	*h = append(*h, t)
}
func (h *turnHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	*h = old[:len(old)-1]
	return t
}
