// Package addresses gives every Gateway and Service of a standalone run a loopback address of its own, so that plain
// curl reaches each of them, and shifts ports that the process may not bind.
//
// Allocation is a pure function of the objects: the same objects get the same addresses in every run.
package addresses
