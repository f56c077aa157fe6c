package node

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/wasmpoint/wasmpoint/conformance/node/services"
	"github.com/wasmpoint/wasmpoint/conformance/node/volumes"
)

// fill writes what the volumes hold, and says when that changes by itself.
func (p *pod) fill() (until time.Time, err error) {
	pod := p.current()
	owner := p.node.options.owner(pod)
	for _, v := range pod.Spec.Volumes {
		dir := p.volume(v.Name)
		if v.EmptyDir != nil {
			if _, err := os.Stat(dir); err != nil {
				if err := owner.Empty(dir); err != nil {
					return until, err
				}
			}
			continue
		}
		payload, next, err := p.node.source.Payload(p.soft, pod, v)
		if err != nil {
			return until, err
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return until, err
		}
		if _, err := volumes.Write(dir, payload, owner); err != nil {
			return until, fmt.Errorf("volume %s: %w", v.Name, err)
		}
		if !next.IsZero() && (until.IsZero() || next.Before(until)) {
			until = next
		}
	}
	return until, nil
}

// refresh writes volumes anew when their sources change or a token is to be replaced.
func (p *pod) refresh(until time.Time) {
	for {
		var due <-chan time.Time
		if !until.IsZero() {
			due = time.After(time.Until(until))
		}
		select {
		case <-p.soft.Done():
			return
		case <-p.sources:
		case <-due:
		}
		next, err := p.fill()
		if err != nil && p.soft.Err() == nil {
			p.event(corev1.EventTypeWarning, "FailedMount", "%v", err)
			next = time.Now().Add(retryEvery)
		}
		until = next
	}
}

func (p *pod) volume(name string) string { return filepath.Join(p.dir(), "volumes", name) }

// generated tells whether a volume's files are made from objects, so that nobody may write there.
func (p *pod) generated(name string) bool {
	return slices.ContainsFunc(p.spec.Volumes, func(v corev1.Volume) bool { return v.Name == name && v.EmptyDir == nil })
}

// files are those that an engine writes for each container.
func (p *pod) files() map[string][]byte {
	domain := "svc." + services.Domain
	hosts := fmt.Sprintf("127.0.0.1 localhost\n::1 localhost\n%s %s\n", p.ip, p.key.Name)
	for _, alias := range p.spec.HostAliases {
		for _, name := range alias.Hostnames {
			hosts += alias.IP + " " + name + "\n"
		}
	}
	return map[string][]byte{
		"/etc/resolv.conf": fmt.Appendf(nil, "search %s.%s %s %s\nnameserver %s\noptions ndots:5\n",
			p.key.Namespace, domain, domain, services.Domain, p.node.bridge.Address()),
		"/etc/hosts":    []byte(hosts),
		"/etc/hostname": []byte(p.key.Name + "\n"),
	}
}
