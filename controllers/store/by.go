package store

import "slices"

// by is an index: the objects that share a key, in order. An object may have several keys, or none.
type by[K comparable, T any] struct {
	keys    func(*T) []K
	order   func(a, b *T) int
	buckets map[K]*sorted[T]
}

// addIndex makes an index over a table. It must be added before the first object.
func addIndex[K, I comparable, T any](t *table[I, T], keys func(*T) []K) *by[K, T] {
	b := &by[K, T]{keys: keys, order: t.order, buckets: map[K]*sorted[T]{}}
	t.indexes = append(t.indexes, b)
	return b
}

func (b *by[K, T]) list(key K) []*T { return b.buckets[key].list() }

func (b *by[K, T]) replace(old, object *T) {
	var keys []K
	if object != nil {
		keys = b.keys(object)
	}
	if old != nil {
		for _, key := range b.keys(old) {
			if !slices.Contains(keys, key) {
				b.drop(key, old)
			}
		}
	}
	for _, key := range keys {
		bucket := b.buckets[key]
		if bucket == nil {
			bucket = &sorted[T]{}
			b.buckets[key] = bucket
		}
		bucket.put(object, b.order)
	}
}

func (b *by[K, T]) drop(key K, object *T) {
	bucket := b.buckets[key]
	if bucket == nil {
		return
	}
	bucket.remove(object, b.order)
	if len(bucket.items) == 0 {
		delete(b.buckets, key)
	}
}
