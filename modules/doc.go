// Package modules brings the WebAssembly modules of plugins into this process's store, checks them, and serves them to
// proxies by digest.
//
// The Manager is told what each owner (a plugin) wants and answers at once with a State; fetching goes on in the background
// for as long as the owner wants it. Whatever was fetched once survives restarts, a dead registry, and every later failure.
package modules
