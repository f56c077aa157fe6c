package node

import (
	"context"
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// report has the status written soon.
func (p *pod) report() { poke(p.reporting) }

func (p *pod) event(kind, reason, format string, args ...any) {
	p.mu.Lock()
	o := p.object
	p.mu.Unlock()
	p.node.events.Eventf(o, kind, reason, format, args...)
}

// reports writes the status whenever it has changed, and once more at the end.
func (p *pod) reports(stop <-chan struct{}) {
	var sent corev1.PodStatus
	for last := false; !last; {
		select {
		case <-p.reporting:
		case <-stop:
			last = true
		}
		status := p.status(sent)
		if equality.Semantic.DeepEqual(status, sent) {
			continue
		}
		if err := p.write(status); err != nil {
			if !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) && p.node.ctx.Err() == nil {
				p.node.log.Warn("the status of a Pod cannot be written", "pod", p.key, "error", err)
				time.AfterFunc(retryEvery, p.report)
			}
			continue
		}
		sent = status
	}
}

// write patches the status as kubelet does, so that conditions of others stay.
func (p *pod) write(status corev1.PodStatus) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": p.uid}, "status": status})
	if err != nil {
		return err
	}
	_, err = p.node.client.CoreV1().Pods(p.key.Namespace).Patch(p.node.ctx, p.key.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

// status composes the status out of the containers' own and the one before.
func (p *pod) status(before corev1.PodStatus) corev1.PodStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := corev1.PodStatus{
		ObservedGeneration: p.object.Generation, HostIP: p.node.bridge.Address().String(), StartTime: before.StartTime, QOSClass: p.object.Status.QOSClass,
	}
	s.HostIPs = []corev1.HostIP{{IP: s.HostIP}}
	if s.StartTime == nil {
		now := metav1.Now()
		s.StartTime = &now
	}
	if p.ip.IsValid() {
		s.PodIP = p.ip.String()
		s.PodIPs = []corev1.PodIP{{IP: s.PodIP}}
	}
	done := true
	for _, c := range p.containers {
		s.ContainerStatuses = append(s.ContainerStatuses, *c.status.DeepCopy())
		done = done && c.done
	}
	s.Phase = phase(s.ContainerStatuses, done)
	for _, c := range conditions(p.object, s.ContainerStatuses, p.inNetwork) {
		c.LastTransitionTime = metav1.Now()
		for _, old := range before.Conditions {
			if old.Type == c.Type && old.Status == c.Status {
				c.LastTransitionTime = old.LastTransitionTime
			}
		}
		s.Conditions = append(s.Conditions, c)
	}
	return s
}

// phase follows from the containers' states, and whether all of them have ended for good.
func phase(all []corev1.ContainerStatus, done bool) corev1.PodPhase {
	failed := false
	for _, c := range all {
		if c.State.Waiting != nil && c.LastTerminationState.Terminated == nil {
			return corev1.PodPending
		}
		failed = failed || c.State.Terminated != nil && c.State.Terminated.ExitCode != 0
	}
	switch {
	case !done:
		return corev1.PodRunning
	case failed:
		return corev1.PodFailed
	}
	return corev1.PodSucceeded
}

// conditions are the ones that kubelet owns. A Pod is ready if its containers are and its readiness gates are open.
func conditions(o *corev1.Pod, all []corev1.ContainerStatus, inNetwork bool) []corev1.PodCondition {
	containersReady, unready := true, ""
	for _, c := range all {
		if !c.Ready {
			containersReady = false
			unready += " " + c.Name
		}
	}
	ready := containersReady
	for _, gate := range o.Spec.ReadinessGates {
		open := false
		for _, c := range o.Status.Conditions {
			open = open || c.Type == gate.ConditionType && c.Status == corev1.ConditionTrue
		}
		ready = ready && open
	}
	condition := func(kind corev1.PodConditionType, is bool) corev1.PodCondition {
		c := corev1.PodCondition{Type: kind, Status: corev1.ConditionFalse, ObservedGeneration: o.Generation}
		if is {
			c.Status = corev1.ConditionTrue
		} else if unready != "" && (kind == corev1.PodReady || kind == corev1.ContainersReady) {
			c.Reason, c.Message = "ContainersNotReady", "containers with unready status:"+unready
		}
		return c
	}
	return []corev1.PodCondition{
		condition(corev1.PodScheduled, true), condition(corev1.PodReadyToStartContainers, inNetwork), condition(corev1.PodInitialized, true),
		condition(corev1.ContainersReady, containersReady), condition(corev1.PodReady, ready),
	}
}

// remove deletes the object of a Pod that was to be deleted, now that nothing of it is left here.
func (p *pod) remove() {
	zero := int64(0)
	for {
		p.mu.Lock()
		gone := p.gone
		p.mu.Unlock()
		if gone || p.node.ctx.Err() != nil {
			return
		}
		ctx, cancel := context.WithTimeout(p.node.ctx, 10*time.Second)
		err := p.node.client.CoreV1().Pods(p.key.Namespace).Delete(ctx, p.key.Name, metav1.DeleteOptions{
			GracePeriodSeconds: &zero, Preconditions: &metav1.Preconditions{UID: &p.uid},
		})
		cancel()
		if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return
		}
		p.node.log.Warn("a Pod cannot be removed", "pod", p.key, "error", err)
		select {
		case <-p.node.ctx.Done():
		case <-time.After(retryEvery):
		}
	}
}
