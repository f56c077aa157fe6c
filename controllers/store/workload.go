package store

import (
	"cmp"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// label is one label of the Pods of external proxies, in one namespace or ("") in any.
type label struct{ namespace, key, value string }

func labelsOfWorkload(w *model.Workload) []label {
	keys := make([]label, 0, 2*len(w.Labels))
	for key, value := range w.Labels {
		keys = append(keys, label{w.Namespace, key, value}, label{"", key, value})
	}
	return keys
}

func compareWorkloads(a, b *model.Workload) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// Workload is the external proxies of that name, or nil.
func (s *Store) Workload(name types.NamespacedName) *model.Workload { return s.workloads.objects[name] }

// Workloads are all external proxies.
func (s *Store) Workloads() []*model.Workload { return s.workloads.all.list(struct{}{}) }

// WorkloadsIn are the external proxies of a namespace.
func (s *Store) WorkloadsIn(namespace string) []*model.Workload {
	return s.workloads.in.list(namespace)
}

// WorkloadsWith are the external proxies of a namespace, or ("") of all, whose Pods have a label.
func (s *Store) WorkloadsWith(namespace, key, value string) []*model.Workload {
	return s.workloadsByLabel.list(label{namespace, key, value})
}
