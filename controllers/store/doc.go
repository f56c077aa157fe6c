// Package store holds the objects that the rules read, typed, with the indexes that the rules need.
//
// Both sources (Kubernetes informers and a YAML directory) feed the same Store. A Store has one owner and no locks: it
// must not be used by two goroutines at once. Objects are immutable once they were put; whoever wants to change one puts
// a copy. Lists are sorted by namespace, then name (plugins: then kind), so that everything computed from them is
// deterministic; a list stays as it is after later changes to the store, and must not be changed by its reader.
//
// The package is pure: no client, no network, no clock.
package store
