package cluster

import (
	"fmt"
	"os"
)

// host is a loopback address of this process alone, so that a port is still free when a stopped server starts again.
// 127.128.0.0/10 has as many addresses as Linux has process ids, and is apart from standalone mode's addresses.
func host() string {
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d", 128+pid>>16&63, pid>>8&255, pid&255)
}
