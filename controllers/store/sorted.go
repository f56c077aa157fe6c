package store

import "slices"

// sorted is a list in a fixed order. Readers keep what they were given: once read, the list is copied before the next
// change. Loading many objects before the first read costs no copies.
type sorted[T any] struct {
	items []*T
	read  bool
}

func (s *sorted[T]) list() []*T {
	if s == nil {
		return nil
	}
	s.read = true
	return slices.Clip(s.items)
}

func (s *sorted[T]) put(item *T, order func(a, b *T) int) {
	s.own()
	at, found := slices.BinarySearchFunc(s.items, item, order)
	if found {
		s.items[at] = item
		return
	}
	s.items = slices.Insert(s.items, at, item)
}

func (s *sorted[T]) remove(item *T, order func(a, b *T) int) {
	at, found := slices.BinarySearchFunc(s.items, item, order)
	if !found {
		return
	}
	s.own()
	s.items = slices.Delete(s.items, at, at+1)
}

func (s *sorted[T]) own() {
	if s.read {
		s.items, s.read = slices.Clone(s.items), false
	}
}
