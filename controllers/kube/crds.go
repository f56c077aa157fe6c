package kube

import (
	"context"
	"fmt"
	"slices"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
)

// crdKind is what Missing calls the definitions themselves.
const crdKind = "CustomResourceDefinition"

// watchCRDs begins to watch a kind when its definition is established. The kinds that are there at the start belong to the
// first batch; one that comes later adds to it.
func (s *Source) watchCRDs(ctx context.Context) error {
	informer, err := s.o.Cache.GetInformer(ctx, &apiextensionsv1.CustomResourceDefinition{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watching %ss: %w", crdKind, err)
	}
	watched := map[string]bool{} // of the handler alone, whose calls do not overlap
	take := func(o any) {
		crd, ok := o.(*apiextensionsv1.CustomResourceDefinition)
		if !ok || watched[crd.Name] || !established(crd) {
			return
		}
		i := slices.IndexFunc(kinds, func(k kind) bool { return k.crd == crd.Name })
		if i < 0 {
			return
		}
		k := &kinds[i]
		version := servedVersion(crd, k.versions)
		if version == "" {
			s.log.Error("no version of this kind is served that can be read; it is left out until one is", "crd", crd.Name, "readable", k.versions)
			return
		}
		watched[crd.Name] = true
		s.mu.Lock()
		if s.first != nil {
			s.waiting[string(k.name)] = true
		}
		s.mu.Unlock()
		go s.watchUntilItWorks(ctx, k, version)
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: take, UpdateFunc: func(_, o any) { take(o) },
		DeleteFunc: func(o any) {
			// The watch of the kind goes on, and finds it again when its definition comes back; until then it tells nothing.
			if crd, ok := o.(*apiextensionsv1.CustomResourceDefinition); ok && s.o.Forget != nil {
				s.o.Forget(crd.Spec.Group, crd.Spec.Names.Plural)
			}
		},
	})
	if err != nil {
		return fmt.Errorf("watching %ss: %w", crdKind, err)
	}
	go s.complete(ctx, crdKind, registration.HasSynced)
	return nil
}

// watchUntilItWorks tries for ever: the API server says that a definition is established a moment before everybody can find
// the kind.
func (s *Source) watchUntilItWorks(ctx context.Context, k *kind, version string) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		err := s.watch(ctx, k, version)
		if err == nil {
			s.log.Info("watching", "kind", string(k.name), "version", version)
			return
		}
		s.log.Warn("kind cannot be watched yet; trying again", "kind", string(k.name), "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func established(crd *apiextensionsv1.CustomResourceDefinition) bool {
	return slices.ContainsFunc(crd.Status.Conditions, func(c apiextensionsv1.CustomResourceDefinitionCondition) bool {
		return c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue
	})
}

// servedVersion is the first of the wanted versions that is served.
func servedVersion(crd *apiextensionsv1.CustomResourceDefinition, wanted []string) string {
	for _, w := range wanted {
		if slices.ContainsFunc(crd.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name == w && v.Served }) {
			return w
		}
	}
	return ""
}
