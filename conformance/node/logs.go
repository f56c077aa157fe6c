package node

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// tail is how many lines of each log a failed test prints.
const tail = 30

// logOf is the file of what a container prints, all its processes one after the other.
func (n *Node) logOf(pod types.NamespacedName, container string) string {
	return filepath.Join(n.options.Folder, "logs", pod.Namespace+"_"+pod.Name+"_"+container+".log")
}

// Log is what a container has printed so far.
func (n *Node) Log(pod types.NamespacedName, container string) string {
	content, err := os.ReadFile(n.logOf(pod, container))
	if err != nil {
		return err.Error()
	}
	return string(content)
}

// Logs is the end of the log of every container that ran here.
func (n *Node) Logs() string {
	files, err := filepath.Glob(filepath.Join(n.options.Folder, "logs", "*.log"))
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			content = []byte(err.Error())
		}
		lines := bytes.Split(bytes.TrimSpace(content), []byte("\n"))
		fmt.Fprintf(&b, "end of %s:\n%s\n", filepath.Base(f), bytes.Join(lines[max(0, len(lines)-tail):], []byte("\n")))
	}
	return b.String()
}

func (o *Options) imageNames() string {
	var names []string
	for _, i := range o.Images {
		names = append(names, "*"+i.Match+"*")
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ", ")
}
