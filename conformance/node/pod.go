package node

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/conformance/node/sandbox"
	"github.com/wasmpoint/wasmpoint/conformance/node/volumes"
)

// pod is one Pod on the node, from its binding to its removal.
type pod struct {
	node *Node
	key  types.NamespacedName
	uid  types.UID
	spec *corev1.PodSpec // never changes in what matters here
	// soft ends when the Pod is to end, hard when it has no more time.
	soft, hard         context.Context
	endSoft, endHard   context.CancelFunc
	sources, reporting chan struct{} // a volume's source, or the status, may have changed

	ip         netip.Addr
	box        *sandbox.Sandbox
	containers []*container

	mu        sync.Mutex
	object    *corev1.Pod
	graceLeft time.Duration
	gone      bool // from the API server
	inNetwork bool
}

func (n *Node) newPod(o *corev1.Pod) *pod {
	p := &pod{
		node: n, key: types.NamespacedName{Namespace: o.Namespace, Name: o.Name}, uid: o.UID, spec: &o.Spec,
		sources: make(chan struct{}, 1), reporting: make(chan struct{}, 1), object: o, graceLeft: graceOf(o),
	}
	p.hard, p.endHard = context.WithCancel(n.ctx)
	p.soft, p.endSoft = context.WithCancel(p.hard)
	for i := range o.Spec.Containers {
		spec := &o.Spec.Containers[i]
		c := &container{pod: p, spec: spec}
		c.status = corev1.ContainerStatus{Name: spec.Name, Image: spec.Image}
		c.status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
		p.containers = append(p.containers, c)
	}
	return p
}

// see takes a newer version of the object.
func (p *pod) see(o *corev1.Pod) {
	p.mu.Lock()
	p.object = o
	if o.DeletionTimestamp != nil {
		p.graceLeft = graceOf(o)
		p.endSoft()
	}
	p.mu.Unlock()
	poke(p.sources)
}

// lost notes that the object is gone, and with it all grace.
func (p *pod) lost() {
	p.mu.Lock()
	p.gone = true
	p.mu.Unlock()
	p.endHard()
}

func graceOf(o *corev1.Pod) time.Duration {
	seconds := int64(30)
	if o.Spec.TerminationGracePeriodSeconds != nil {
		seconds = *o.Spec.TerminationGracePeriodSeconds
	}
	if o.DeletionGracePeriodSeconds != nil {
		seconds = *o.DeletionGracePeriodSeconds
	}
	return time.Duration(seconds) * time.Second
}

func (p *pod) grace() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.graceLeft
}

// current is the object as kubelet would hand it to a container: with addresses.
func (p *pod) current() *corev1.Pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.object.DeepCopy()
	o.Status.PodIP, o.Status.HostIP = p.ip.String(), p.node.bridge.Address().String()
	return o
}

// run is the Pod's life.
func (p *pod) run() {
	reported := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(reported)
		p.reports(stop)
	}()
	p.live()
	<-p.soft.Done() // one that has completed stays until it is deleted
	close(stop)
	<-reported
	p.tearDown()
	p.remove()
}

// live makes what the containers need, runs them, and returns when all have ended.
func (p *pod) live() {
	if reason := unsupported(p.spec); reason != "" {
		p.event(corev1.EventTypeWarning, "Failed", "%s has no stand-in on this node", reason)
		for _, c := range p.containers {
			c.waiting("CreateContainerConfigError", reason+" has no stand-in on this node")
		}
		return
	}
	if !p.retry("FailedCreatePodSandBox", p.join) {
		return
	}
	p.mu.Lock()
	p.inNetwork = true
	p.mu.Unlock()
	p.report()
	var until time.Time
	if !p.retry("FailedMount", func() (err error) {
		until, err = p.fill()
		return err
	}) {
		return
	}
	var running sync.WaitGroup
	running.Go(func() { p.refresh(until) })
	for _, c := range p.containers {
		running.Go(func() { c.run(p.soft) })
	}
	running.Wait()
}

// retry does something until it succeeds; false means that the Pod is to end.
func (p *pod) retry(reason string, f func() error) bool {
	for p.soft.Err() == nil {
		err := f()
		if err == nil {
			return true
		}
		if p.soft.Err() != nil {
			return false
		}
		p.event(corev1.EventTypeWarning, reason, "%v", err)
		for _, c := range p.containers {
			c.waiting("ContainerCreating", err.Error())
		}
		select {
		case <-p.soft.Done():
		case <-p.sources:
		case <-time.After(retryEvery):
		}
	}
	return false
}

// join gives the Pod its address and its network.
func (p *pod) join() (err error) {
	if !p.ip.IsValid() {
		ip, err := p.node.takeAddress()
		if err != nil {
			return err
		}
		p.mu.Lock()
		p.ip = ip
		p.mu.Unlock()
	}
	p.box, err = p.node.bridge.Join(p.ip, sysctls(p.spec))
	return err
}

// tearDown takes away what the Pod had on this machine. Its processes have ended.
func (p *pod) tearDown() {
	if p.box != nil {
		if err := p.box.Close(); err != nil {
			p.node.log.Error("the network of a Pod is left over", "pod", p.key, "error", err)
		}
	}
	if err := os.RemoveAll(p.dir()); err != nil {
		p.node.log.Error("the folder of a Pod is left over", "pod", p.key, "error", err)
	}
	p.node.source.Tokens.Forget(p.uid)
	if p.ip.IsValid() {
		p.node.giveAddress(p.ip)
	}
}

func (p *pod) dir() string { return filepath.Join(p.node.options.Folder, "pods", string(p.uid)) }

// unsupported names what a Pod asks for that this node cannot do.
func unsupported(spec *corev1.PodSpec) string {
	if len(spec.InitContainers) > 0 {
		return "initContainers"
	}
	if spec.HostNetwork || spec.HostPID || spec.HostIPC {
		return "a host namespace"
	}
	for _, v := range spec.Volumes {
		if what := volumes.Unsupported(v); what != "" {
			return what
		}
	}
	return ""
}

// poke wakes the reader of a channel that has room for one.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
