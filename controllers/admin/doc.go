// Package admin is the HTTP endpoint on which a running wasmpoint answers questions about itself (Handler), and the
// client for it (Client). The endpoint only reads: no request changes anything.
//
//	GET /status                          status.Snapshot as JSON
//	GET /status/{kind}/{namespace}/{name}  one object with its full status, as YAML (?o=json: as JSON)
//	GET /status/{kind}/{name}            the same for a cluster-scoped object
//	GET /healthz                         200 while the process answers
//	GET /readyz                          200 when it serves proxies, 503 with the reason before
//	GET /debug/pprof/                    Go profiles
//
// It is meant for a loopback address. Requests whose Host is a name other than localhost are refused, because a web page
// could otherwise read the endpoint through a name that resolves to 127.0.0.1 (DNS rebinding).
package admin
