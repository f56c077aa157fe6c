package files

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var (
	unmarshaler  = reflect.TypeFor[json.Unmarshaler]()
	timeType     = reflect.TypeFor[metav1.Time]()
	quantityType = reflect.TypeFor[resource.Quantity]()
	intOrString  = reflect.TypeFor[intstr.IntOrString]()
)

// strict compares a JSON value with the Go type that it is meant for and returns everything that the API server of
// `kubectl apply --validate=strict` would refuse: unknown fields (names are case-sensitive) and wrong types.
type strict struct {
	faults []fault
	// secret keeps values out of the messages.
	secret bool
}

func (s *strict) fail(path, format string, a ...any) {
	s.faults = append(s.faults, fault{path: path, problem: fmt.Sprintf(format, a...)})
}

func (s *strict) check(path string, v any, t reflect.Type) {
	if v == nil {
		return
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(unmarshaler) {
		s.custom(path, v, t)
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		s.object(path, v, t)
	case reflect.Map:
		m, ok := v.(map[string]any)
		if !ok {
			s.wrong(path, v, "a mapping")
			return
		}
		for _, k := range sortedKeys(m) {
			s.check(join(path, k), m[k], t.Elem())
		}
	case reflect.Slice:
		s.list(path, v, t)
	case reflect.String:
		if _, ok := v.(string); !ok {
			s.wrong(path, v, "a string")
		}
	case reflect.Bool:
		if _, ok := v.(bool); !ok {
			s.wrong(path, v, "true or false")
		}
	case reflect.Interface:
	default:
		s.number(path, v, t)
	}
}

func (s *strict) object(path string, v any, t reflect.Type) {
	m, ok := v.(map[string]any)
	if !ok {
		s.wrong(path, v, "a mapping")
		return
	}
	fields := fieldsOf(t)
	for _, k := range sortedKeys(m) {
		if f, known := fields[k]; known {
			s.check(join(path, k), m[k], f)
			continue
		}
		if guess := nearest(k, fields); guess != "" {
			s.fail(join(path, k), "unknown field; did you mean %s?", guess)
		} else {
			s.fail(join(path, k), "unknown field; remove it or correct its name")
		}
	}
}

func (s *strict) list(path string, v any, t reflect.Type) {
	if t.Elem().Kind() == reflect.Uint8 {
		text, ok := v.(string)
		if !ok {
			s.wrong(path, v, "a base64 string")
		} else if _, err := base64.StdEncoding.DecodeString(strings.NewReplacer("\n", "", "\r", "").Replace(text)); err != nil {
			s.fail(path, "is not base64; encode the value, or use stringData")
		}
		return
	}
	items, ok := v.([]any)
	if !ok {
		s.wrong(path, v, "a list")
		return
	}
	for i, item := range items {
		s.check(fmt.Sprintf("%s[%d]", path, i), item, t.Elem())
	}
}

func (s *strict) number(path string, v any, t reflect.Type) {
	n, ok := v.(json.Number)
	if !ok {
		s.wrong(path, v, "a number")
		return
	}
	if err := json.Unmarshal([]byte(n), reflect.New(t).Interface()); err != nil {
		s.fail(path, "%s is not a whole number in the field's range; correct it", n)
	}
}

// custom asks types that read themselves.
func (s *strict) custom(path string, v any, t reflect.Type) {
	raw, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(raw, reflect.New(t).Interface())
	}
	_, isString := v.(string)
	_, isNumber := v.(json.Number)
	switch {
	case t == timeType && err != nil:
		s.fail(path, "%s is not a time; write it as 2026-01-31T15:04:05Z", raw)
	case t == quantityType && err != nil:
		s.fail(path, "%s is not a quantity; write it as 100m or 64Mi", raw)
	case t == intOrString && (err != nil || !isString && !isNumber):
		s.wrong(path, v, "a number or a string")
	case err != nil:
		s.fail(path, "cannot be read: %v; correct it", err)
	}
}

func (s *strict) wrong(path string, v any, want string) {
	problem := "must be " + want + ", and is " + nameOf(v)
	if s.secret {
		s.fail(path, "must be %s, and is something else; correct or quote it", want)
		return
	}
	switch v := v.(type) {
	case bool, json.Number:
		if strings.HasSuffix(want, "string") {
			s.fail(path, "%s; quote it: \"%v\"", problem, v)
			return
		}
	}
	s.fail(path, "%s; correct it", problem)
}

func nameOf(v any) string {
	switch v := v.(type) {
	case map[string]any:
		return "a mapping"
	case []any:
		return "a list"
	case string:
		return fmt.Sprintf("the string %q", v)
	case bool:
		return fmt.Sprintf("the boolean %v", v)
	default:
		return fmt.Sprintf("the number %v", v)
	}
}

// fieldsOf maps JSON names to types, embedded structs included.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported() && !f.Anonymous:
		case name == "" && (f.Anonymous || slices.Contains(strings.Split(options, ","), "inline")):
			inner := f.Type
			for inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			for k, v := range fieldsOf(inner) {
				out[k] = v
			}
		case name == "":
			out[f.Name] = f.Type
		default:
			out[name] = f.Type
		}
	}
	return out
}
