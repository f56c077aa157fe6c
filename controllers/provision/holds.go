package provision

import (
	"reflect"
)

// Holds tells whether an object still says all that was applied to it. What others added does not count, nor what the API
// server filled in. Both are in the form of JSON.
func Holds(live, applied any) bool {
	switch want := applied.(type) {
	case map[string]any:
		have, ok := live.(map[string]any)
		if !ok {
			return len(want) == 0 && live == nil // an empty object may be left out
		}
		for k, v := range want {
			if !Holds(have[k], v) {
				return false
			}
		}
		return true
	case []any:
		have, ok := live.([]any)
		if !ok {
			return len(want) == 0 && live == nil
		}
		for i, v := range want {
			if !holdsOne(have, i, v) {
				return false
			}
		}
		return true
	case nil:
		return true
	}
	return reflect.DeepEqual(live, applied)
}

// keysOfLists are the fields by which the entries of the API server's lists are told apart; others may stand before ours.
var keysOfLists = []string{"name", "containerPort", "port", "mountPath", "topologyKey", "uid"}

func holdsOne(list []any, i int, want any) bool {
	entry, isMap := want.(map[string]any)
	if !isMap {
		return i < len(list) && reflect.DeepEqual(list[i], want)
	}
	for _, key := range keysOfLists {
		value, has := entry[key]
		if !has {
			continue
		}
		for _, one := range list {
			if m, ok := one.(map[string]any); ok && reflect.DeepEqual(m[key], value) {
				return Holds(one, want)
			}
		}
		return false
	}
	return i < len(list) && Holds(list[i], want)
}
