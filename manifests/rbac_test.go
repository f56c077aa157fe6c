package manifests

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/discovery"

	"github.com/wasmpoint/wasmpoint/conformance/cluster"
)

const patience = time.Minute

var verbs = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}

// The rights of the ServiceAccount, asked from the API server for every resource that it serves and every verb: in the
// namespace of the controller, in another one, and for single names. Whatever is not here must be refused.
func TestTheControllerMayDoWhatItNeedsAndNothingElse(t *testing.T) {
	for _, tt := range []struct {
		golden, namespace string
		how               []string
	}{
		{golden: "rights.txt", namespace: namespace},
		{golden: "rights-every-value.txt", namespace: "plugins", how: []string{"--values", everyValue}},
	} {
		t.Run(tt.golden, func(t *testing.T) {
			c := cluster.Start(t, cluster.WithIstioCRDs())
			makeNamespaces(c, tt.namespace, "other", "team-a", "team-b")
			apply(t, c, tt.golden, helm(t, tt.namespace, append([]string{"--set", "crds.install=false"}, tt.how...)...))
			got := rights(t, c, tt.namespace)
			path := filepath.Join("testdata", tt.golden)
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s says\n%s\nthe API server says\n%s", path, want, got)
			}
		})
	}
}

type resource struct {
	group, name, subresource string
	namespaced               bool
}

func (r resource) String() string {
	s := r.name
	if r.subresource != "" {
		s += "/" + r.subresource
	}
	if r.group != "" {
		s += "." + r.group
	}
	return s
}

func served(t *testing.T, c *cluster.Cluster) []resource {
	t.Helper()
	d, err := discovery.NewDiscoveryClientForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	_, lists, err := d.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	all := map[resource]bool{}
	for _, list := range lists {
		group, _, found := strings.Cut(list.GroupVersion, "/")
		if !found {
			group = ""
		}
		for _, r := range list.APIResources {
			name, sub, _ := strings.Cut(r.Name, "/")
			all[resource{group: group, name: name, subresource: sub, namespaced: r.Namespaced}] = true
		}
	}
	if len(all) < 80 {
		t.Fatalf("only %d resources", len(all))
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b resource) int { return strings.Compare(a.String(), b.String()) })
}

// rights are one line for each place, resource and name where something is allowed.
func rights(t *testing.T, c *cluster.Cluster, own string) string {
	t.Helper()
	account := "system:serviceaccount:" + own + ":wasmpoint"
	var out strings.Builder
	ask := func(place, ns string, r resource, name string, already []string) []string {
		allowed := slices.Clone(already)
		for _, verb := range verbs {
			if slices.Contains(already, verb) {
				continue
			}
			// Without the group system:authenticated, so that only rights of its own count.
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: account, Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + own},
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: ns, Verb: verb, Group: r.group, Resource: r.name, Subresource: r.subresource, Name: name,
				},
			}}
			if err := c.Client().Create(context.Background(), review); err != nil {
				t.Fatal(err)
			}
			if review.Status.Allowed {
				allowed = append(allowed, verb)
			}
		}
		if len(allowed) > len(already) {
			what := r.String()
			if name != "" {
				what += " " + name
			}
			fmt.Fprintf(&out, "%s: %s: %s\n", place, what, strings.Join(allowed[len(already):], " "))
		}
		return allowed
	}
	all := served(t, c)
	for _, r := range all {
		if !r.namespaced {
			ask("cluster", "", r, "", nil)
		}
	}
	for _, r := range all {
		if r.namespaced {
			everywhere := ask("any namespace", "other", r, "", nil)
			here := ask("own namespace", own, r, "", everywhere)
			if r.subresource == "" {
				for _, name := range []string{"wasmpoint", "wasmpoint-ca", "wasmpoint-leader"} {
					ask("own namespace", own, r, name, here)
				}
			}
			if r.name == "secrets" {
				ask("team-a", "team-a", r, "", everywhere)
				ask("team-a", "team-a", r, "registry-credentials", everywhere)
				ask("team-a", "team-a", r, "certificate", everywhere)
				ask("team-b", "team-b", r, "certificate", everywhere)
			}
		}
	}
	return out.String()
}
