// Package netns gives a test program a network of its own: the program runs itself again inside a new network namespace,
// where every address of the Pod network and every Service address can be bound, and nothing outside can be reached but
// what a Relay carries over a Unix socket. It works without root (a user namespace), on Linux alone.
package netns
