// Package suite is wasmpoint's conformance suite, in the form of Gateway API's: a behaviour is one Go file and one YAML file
// of the same name (package tests), it says which features it needs, and a run ends in a report.
//
// It runs against a real API server, a controller with its shipped RBAC as a process of its own, and real Envoys, all in a
// network namespace (package netns) in which Pod and Service addresses are local. Pods are objects without a node; the
// suite starts their proxies, and a stand-in for ztunnel sends what is for a Service to its waypoint. So it needs no
// container, and runs the same against any cluster (-cluster). Its own cluster has a node too (conformance/node), for the
// tests whose proxies are made by the controller.
//
// Of Gateway API's conformance module only the types of the report are used, and of Gateway API the type of feature names.
// Its suite cannot be used: it waits for running Pods, rewrites gatewayClassName in every manifest (also that of a
// waypoint), and makes its clients anew for each test, so that nothing started for a test could keep one.
package suite
