package node

import (
	"context"
	"runtime"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"

	"github.com/wasmpoint/wasmpoint/conformance/node/volumes"
)

// register makes the Node object, ready and without taints.
func (n *Node) register() error {
	o := &corev1.Node{}
	o.Name = n.options.Name
	o.Labels = map[string]string{
		corev1.LabelHostname: n.options.Name, corev1.LabelOSStable: runtime.GOOS, corev1.LabelArchStable: runtime.GOARCH,
	}
	nodes := n.client.CoreV1().Nodes()
	made, err := nodes.Create(n.ctx, o, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		made, err = nodes.Get(n.ctx, o.Name, metav1.GetOptions{})
	}
	if err != nil {
		return err
	}
	// Admission gave it the taint of a node that is not ready, which a controller would take away that does not run here.
	if made.Spec.Taints != nil {
		made.Spec.Taints = nil
		if made, err = nodes.Update(n.ctx, made, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	now := metav1.Now()
	made.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", Message: "a stand-in for kubelet is ready",
		LastTransitionTime: now, LastHeartbeatTime: now,
	}}
	made.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: n.bridge.Address().String()}, {Type: corev1.NodeHostName, Address: o.Name}}
	made.Status.Capacity, made.Status.Allocatable = volumes.Capacity, volumes.Capacity
	_, err = nodes.UpdateStatus(n.ctx, made, metav1.UpdateOptions{})
	return err
}

// record sends events to the cluster.
func (n *Node) record() {
	broadcaster := record.NewBroadcaster(record.WithContext(n.ctx))
	n.ends = append(n.ends, func() error {
		broadcaster.Shutdown()
		return nil
	})
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: n.client.CoreV1().Events("")})
	n.events = broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kubelet", Host: n.options.Name})
}

// watch has Pods bound and run, and their volumes follow their sources.
func (n *Node) watch() error {
	_, err := n.factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { n.see(o.(*corev1.Pod)) },
		UpdateFunc: func(_, o any) { n.see(o.(*corev1.Pod)) },
		DeleteFunc: func(o any) {
			if tombstone, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = tombstone.Obj
			}
			if p := n.find(o.(*corev1.Pod)); p != nil {
				p.lost()
			}
		},
	})
	if err != nil {
		return err
	}
	changed := cache.ResourceEventHandlerFuncs{
		AddFunc:    n.sourceChanged,
		UpdateFunc: func(_, o any) { n.sourceChanged(o) },
	}
	for _, informer := range []cache.SharedIndexInformer{n.factory.Core().V1().ConfigMaps().Informer(), n.factory.Core().V1().Secrets().Informer()} {
		if _, err := informer.AddEventHandler(changed); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) sourceChanged(o any) {
	object, ok := o.(metav1.Object)
	if !ok {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.pods {
		if p.key.Namespace == object.GetNamespace() {
			poke(p.sources)
		}
	}
}

func (n *Node) find(o *corev1.Pod) *pod {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.pods[o.UID]
}

// see is told of each version of each Pod.
func (n *Node) see(o *corev1.Pod) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopped {
		return
	}
	if o.Spec.NodeName == "" {
		if o.DeletionTimestamp == nil && o.Spec.SchedulerName == corev1.DefaultSchedulerName && len(o.Spec.SchedulingGates) == 0 {
			n.running.Go(func() { n.bind(o) })
		}
		return
	}
	if o.Spec.NodeName != n.options.Name {
		return
	}
	if p := n.pods[o.UID]; p != nil {
		p.see(o)
		return
	}
	if o.DeletionTimestamp == nil && (o.Status.Phase == corev1.PodSucceeded || o.Status.Phase == corev1.PodFailed) {
		return
	}
	p := n.newPod(o)
	if o.DeletionTimestamp != nil { // its processes ended with an earlier node of this name
		p.endSoft()
	}
	n.pods[o.UID] = p
	n.running.Go(func() {
		p.run()
		p.endHard()
		n.mu.Lock()
		delete(n.pods, p.uid)
		n.mu.Unlock()
	})
}

// bind is the scheduler: there is one node.
func (n *Node) bind(o *corev1.Pod) {
	binding := &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: n.options.Name}}
	binding.Namespace, binding.Name, binding.UID = o.Namespace, o.Name, o.UID
	for {
		ctx, cancel := context.WithTimeout(n.ctx, 10*time.Second)
		err := n.client.CoreV1().Pods(o.Namespace).Bind(ctx, binding, metav1.CreateOptions{})
		cancel()
		// A conflict: it is bound already.
		if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) || n.ctx.Err() != nil {
			return
		}
		n.log.Warn("a Pod cannot be bound", "namespace", o.Namespace, "pod", o.Name, "error", err)
		select {
		case <-n.ctx.Done():
		case <-time.After(retryEvery):
		}
	}
}
