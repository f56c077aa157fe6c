package provision

import (
	"reflect"
)

// merged are the lists to which the API server lets others add entries of their own, with the field by which the entries are
// told apart. Every other list is one value: an entry more in it is a change of ours.
var merged = map[string]string{
	"containers": "name", "env": "name", "imagePullSecrets": "name", "ownerReferences": "uid", "ports": "name",
	"topologySpreadConstraints": "topologyKey", "volumeMounts": "mountPath", "volumes": "name",
}

// Holds tells whether an object still says all that was applied to it. What others added does not count, nor what the API
// server filled in. Both are in the form of JSON.
func Holds(live, applied map[string]any) bool { return holds("", live, applied) }

func holds(field string, live, applied any) bool {
	switch want := applied.(type) {
	case map[string]any:
		have, ok := live.(map[string]any)
		if !ok {
			return len(want) == 0 && live == nil // an empty object may be left out
		}
		for k, v := range want {
			if !holds(k, have[k], v) {
				return false
			}
		}
		return true
	case []any:
		have, ok := live.([]any)
		if !ok {
			return len(want) == 0 && live == nil
		}
		return listHolds(field, have, want)
	case nil:
		return true
	}
	return reflect.DeepEqual(live, applied)
}

func listHolds(field string, have, want []any) bool {
	key := merged[field]
	for i, v := range want {
		entry, _ := v.(map[string]any)
		id, has := entry[key]
		if !has { // the ports of a NetworkPolicy have no names either
			return len(have) == len(want) && holds("", have[i], v) && listHolds("", have[i+1:], want[i+1:])
		}
		found := false
		for _, one := range have {
			if m, ok := one.(map[string]any); ok && reflect.DeepEqual(m[key], id) {
				found = holds("", one, v)
			}
		}
		if !found {
			return false
		}
	}
	return key != "" && len(want) > 0 || len(have) == len(want)
}
