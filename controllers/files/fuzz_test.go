package files

import "testing"

// FuzzParse: whatever a file holds, it is either objects or errors with a line of that file, and never a crash.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		plugin("a", "oci://x/1"),
		"%YAML 1.2\n---\na: &a [*a]\n",
		"<<: {a: 1}\napiVersion: v1\nkind: List\nitems: [null, 1, {kind: Service}]\n",
		"apiVersion: v1\nkind: Service\nmetadata: {name: a, creationTimestamp: 1}\nspec: {ports: [{port: 1, targetPort: [1]}]}\n",
		"? [a]\n: b\n",
		"--- |\n text\n--- >\n---",
		"apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\nspec: {rules: [{filters: [{}], backendRefs: [{}], matches: [{path: {}, headers: [{}]}]}]}\n",
		"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: r}\nendpoints: [{}]\nports: [{}]\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		lines := 1
		for _, b := range content {
			if b == '\n' {
				lines++
			}
		}
		r := Parse("x.yaml", content)
		for _, e := range r.Errors {
			if e.Line < 1 || e.Line > lines+1 {
				t.Errorf("%v: the file has %d lines", e, lines)
			}
		}
		if len(r.Errors) > 0 && len(r.All()) > 0 {
			t.Errorf("errors and objects at once: %v", r.Errors)
		}
	})
}
