package sandbox

import "os"

// Spec is a process to start.
type Spec struct {
	// Root is an empty folder. The root filesystem is put together there, in a mount namespace of the process.
	Root string
	// Mounts are put into it, parents before children.
	Mounts []Mount
	// Files are small files of the root filesystem, as /etc/hosts.
	Files map[string][]byte
	// Command is the program and its arguments. A program without a slash is looked for in the PATH of Env.
	Command []string
	// Env are the variables, as NAME=VALUE.
	Env []string
	// Dir is the working directory, / unless given.
	Dir string
	// Hostname is the Pod's name.
	Hostname string
	// User, Group and Groups are the ids of the process: root's unless given. They are ignored where this program cannot
	// take on another id (a user namespace with one id only).
	User, Group uint32
	Groups      []uint32
	// ReadOnlyRoot leaves only mounts to write to.
	ReadOnlyRoot bool
	// NoNewPrivileges is what allowPrivilegeEscalation: false means.
	NoNewPrivileges bool
	// DropCapabilities takes all capabilities from the process, root's too.
	DropCapabilities bool
	// Output gets what the process prints.
	Output *os.File
}

// Mount is a file or folder of this machine in the root filesystem of a process.
type Mount struct {
	From, At string
	ReadOnly bool
}
