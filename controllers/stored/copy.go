package stored

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
)

func (c Content) copy() Content {
	c.Status = *c.Status.DeepCopy() // a Plugin is never changed
	return c
}

// DeepCopyObject is for runtime.Object.
func (o *WasmPlugin) DeepCopyObject() runtime.Object {
	out := o.copied()
	return &out
}

func (o *WasmPlugin) copied() WasmPlugin {
	return WasmPlugin{o.TypeMeta, *o.DeepCopy(), o.copy()}
}

// DeepCopyObject is for runtime.Object.
func (o *TrafficExtension) DeepCopyObject() runtime.Object {
	out := o.copied()
	return &out
}

func (o *TrafficExtension) copied() TrafficExtension {
	return TrafficExtension{o.TypeMeta, *o.DeepCopy(), o.copy()}
}

// DeepCopyObject is for runtime.Object.
func (l *WasmPluginList) DeepCopyObject() runtime.Object {
	out := &WasmPluginList{TypeMeta: l.TypeMeta, ListMeta: *l.DeepCopy(), Items: slices.Clone(l.Items)}
	for i := range out.Items {
		out.Items[i] = l.Items[i].copied()
	}
	return out
}

// DeepCopyObject is for runtime.Object.
func (l *TrafficExtensionList) DeepCopyObject() runtime.Object {
	out := &TrafficExtensionList{TypeMeta: l.TypeMeta, ListMeta: *l.DeepCopy(), Items: slices.Clone(l.Items)}
	for i := range out.Items {
		out.Items[i] = l.Items[i].copied()
	}
	return out
}
