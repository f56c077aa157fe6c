// Package sandbox gives the processes of a Pod what a container engine would give them: a network namespace of the Pod's
// own behind a bridge, and for each process a root filesystem of its own with the volumes at the paths that were asked for.
//
// All of it hangs on open files and on the processes themselves: nothing has a name outside. With the end of this program,
// however it ends, the kernel ends the processes and takes the namespaces, interfaces and mounts away.
//
// Namespaces are entered by OS threads that do nothing else afterwards, so the program needs not run itself again.
// These threads end. Whoever starts a process that has a parent-death signal, as Envoy gives itself one unless it runs with
// --disable-hot-restart, must start it from a thread of its own (testbed.Spawn): any other may be one that ends here.
//
// Linux, with the rights of root or of a user namespace (conformance/suite/netns).
package sandbox
