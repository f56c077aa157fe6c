package stored

import (
	"strings"
	"testing"

	kjson "sigs.k8s.io/json"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

func list(t *testing.T, items string) *WasmPluginList {
	t.Helper()
	out := &WasmPluginList{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts([]byte(`{"apiVersion":"extensions.istio.io/v1alpha1","kind":"WasmPluginList","items":[`+items+`]}`), out); err != nil {
		t.Fatal(err)
	}
	return out
}

const good = `{"metadata":{"namespace":"shop","name":"good","generation":3,"resourceVersion":"7"},
	"spec":{"url":"oci://localhost:5000/a:1","priority":5,"pluginConfig":{"b":1,"a":2}},
	"status":{"observedGeneration":"3","conditions":[{"type":"Ready","status":"True"}]}}`

func TestAValueOfTheWrongTypeSpoilsNothingButItsOwnPlugin(t *testing.T) {
	l := list(t, `{"metadata":{"namespace":"shop","name":"bad","generation":2},"spec":{"url":"oci://localhost:5000/a:1","priority":"high",
		"targetRefs":[{"kind":"Gateway","group":"gateway.networking.k8s.io","name":"gw"}]}},`+good)
	bad := l.Items[0].Plugin
	if want := `spec.priority: must be a whole number in its range, and is a string; correct it`; bad.Invalid != want {
		t.Errorf("Invalid is %q, want %q", bad.Invalid, want)
	}
	if bad.Namespace != "shop" || bad.Name != "bad" || bad.Generation != 2 || len(bad.Targets) != 1 {
		t.Errorf("what can be read of it is %+v", bad)
	}
	if p := l.Items[1].Plugin; p.Invalid != "" || *p.Priority != 5 || string(p.Wasm.Config) != `{"a":2,"b":1}` {
		t.Errorf("the plugin beside it is %+v, %+v", p, p.Wasm)
	}
}

func TestWhatIsWrongIsNamedByItsPlace(t *testing.T) {
	for spec, want := range map[string]string{
		`[]`:                           "spec: must be a mapping, and is a list; correct it; spec.url: must name",
		`"x"`:                          "spec: must be a mapping, and is a string",
		`{"url":"a/b","vmConfig":[1]}`: "spec.vmConfig: must be a mapping, and is a list; correct it",
		`{"url":"a/b","vmConfig":{"env":[{"name":1}]}}`: "spec.vmConfig.env.name: must be a string, and is a number",
		`{"url":"a/b","selector":{"matchLabels":1}}`:    "spec.selector.matchLabels: must be a mapping, and is a number",
		`{"url":"a/b","priority":99999999999}`:          "spec.priority: must be a whole number in its range, and is a number",
		`{}`:                                            "spec.url: must name the module",
	} {
		p := list(t, `{"metadata":{"name":"x"},"spec":`+spec+`}`).Items[0].Plugin
		if !strings.HasPrefix(p.Invalid, want) {
			t.Errorf("spec %s: Invalid is %q, want %q", spec, p.Invalid, want)
		}
	}
}

func TestAStatusThatCannotBeReadIsSaidToBeMoreThanWhatWasRead(t *testing.T) {
	l := list(t, good+`,{"metadata":{"name":"x"},"spec":{"url":"a/b"},"status":{"conditions":"none","observedGeneration":4}}`)
	if got := l.Items[0]; got.Unread || got.Status.ObservedGeneration != 3 || got.Status.Conditions[0].Type != ext.ConditionReady {
		t.Errorf("the status that can be read is %+v, Unread %v", got.Status, got.Unread)
	}
	if !l.Items[1].Unread {
		t.Error("nothing tells that the second status could not be read")
	}
}

func TestACopyDoesNotShareWhatMayChange(t *testing.T) {
	l := list(t, good)
	c := l.DeepCopyObject().(*WasmPluginList)
	c.Items[0].Status.Conditions[0].Type = "Other"
	c.Items[0].Name = "other"
	if o := l.Items[0]; o.Status.Conditions[0].Type != ext.ConditionReady || o.Name != "good" {
		t.Errorf("the original changed with its copy: %+v", o)
	}
	if c.Items[0].Plugin != l.Items[0].Plugin || c.Items[0].ResourceVersion != "7" {
		t.Error("the copy lost something")
	}
}
