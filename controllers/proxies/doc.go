// Package proxies finds Envoy and runs one Envoy process per Gateway for standalone mode: it starts them, restarts a
// crashed one with back-off, stops them gracefully, and never leaves one behind.
package proxies
