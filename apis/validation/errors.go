package validation

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// maxValue bounds the value shown in an error, in runes.
const maxValue = 80

var (
	numberFormat = regexp.MustCompile(`^Checked value must be of type integer with format (\w+) in (.+)$`)
	wrongType    = regexp.MustCompile(`^must be of type (\w+): "(\w+)"$`)
)

// FieldError is one thing that is wrong with an object.
type FieldError struct {
	// Path of the field, such as spec.match[0].ports[1].number; empty for the object as a whole.
	Path string
	// Value as it stands in the object; "" when there is none to show.
	Value string
	// Message says what is wrong and what would be right.
	Message string
}

// Error is path, value and message in one line.
func (e FieldError) Error() string {
	switch {
	case e.Path == "" && e.Value == "":
		return e.Message
	case e.Value == "":
		return e.Path + ": " + e.Message
	case e.Path == "":
		return e.Value + ": " + e.Message
	}
	return e.Path + ": " + e.Value + ": " + e.Message
}

// fromLibrary puts an error of the API server's libraries into our words; messages of CEL rules stay as the CRD has them.
func fromLibrary(e *field.Error) FieldError {
	out := FieldError{Path: strings.TrimPrefix(strings.TrimSuffix(e.Field, "."), "<nil>")}
	switch e.Type {
	case field.ErrorTypeRequired:
		out.Message = "is required"
		if e.Detail != "" {
			out.Message += ": " + e.Detail
		}
	case field.ErrorTypeNotSupported:
		out.Value = show(e.BadValue)
		out.Message = "is not supported; use one of " + strings.ReplaceAll(strings.TrimPrefix(e.Detail, "supported values: "), `"`, "")
	case field.ErrorTypeTooLong:
		out.Message = "is too long: " + e.Detail
	case field.ErrorTypeTooMany:
		out.Message = "has too many items: " + e.Detail
	case field.ErrorTypeDuplicate:
		out.Value = show(e.BadValue)
		out.Message = "stands twice; remove one"
	default:
		out.Value = show(e.BadValue)
		out.Message = strings.TrimPrefix(e.Detail, e.Field+" in body ")
		reword(&out, e.Type)
	}
	return out
}

// reword turns the validator's sentences into ours: they speak of a request's body, and one of them hides the path.
func reword(e *FieldError, t field.ErrorType) {
	if m := numberFormat.FindStringSubmatch(e.Message); m != nil {
		*e = FieldError{Path: m[2], Message: "must be a whole number of type " + m[1]}
		return
	}
	if m := wrongType.FindStringSubmatch(e.Message); m != nil && t == field.ErrorTypeTypeInvalid {
		e.Value = ""
		e.Message = fmt.Sprintf("must be of type %s, and is of type %s", m[1], m[2])
		if m[2] == "float64" {
			e.Message = "must be a whole number of type " + m[1]
		}
		return
	}
	if e.Message == "should be at least 1 chars long" {
		e.Message = "must not be empty"
		return
	}
	if rest, ok := strings.CutPrefix(e.Message, "should "); ok {
		e.Message = "must " + rest
	}
}

// show prints a value shortly. Whole objects are left out: the path says where they are.
func show(v any) string {
	switch v := v.(type) {
	case nil, field.OmitValueType:
		return ""
	case map[string]any, []any:
		if raw, err := json.Marshal(v); err == nil && len(raw) <= maxValue && string(raw) != "{}" {
			return string(raw)
		}
		return ""
	case string:
		if utf8.RuneCountInString(v) > maxValue {
			v = string([]rune(v)[:maxValue]) + "…"
		}
		return fmt.Sprintf("%q", v)
	default:
		return fmt.Sprint(v)
	}
}

// unknownMessage names the field that was probably meant.
func unknownMessage(path string, root *structuralschema.Structural) string {
	parent, name := root, path
	for {
		head, rest, more := strings.Cut(name, ".")
		if !more {
			break
		}
		name = rest
		if parent = child(parent, head); parent == nil {
			break
		}
	}
	if parent != nil {
		if guess := nearest(name, parent.Properties); guess != "" {
			return fmt.Sprintf("unknown field; did you mean %s?", guess)
		}
	}
	return "unknown field; remove it or correct its name"
}

// child follows one step of a path, such as match[0].
func child(s *structuralschema.Structural, step string) *structuralschema.Structural {
	name, _, list := strings.Cut(step, "[")
	next, ok := s.Properties[name]
	if !ok {
		return nil
	}
	if list {
		return next.Items
	}
	return &next
}

// nearest finds the property that differs in case only, or in at most two letters.
func nearest(name string, props map[string]structuralschema.Structural) string {
	best, bestDistance := "", 3
	for p := range props {
		d := Distance(strings.ToLower(name), strings.ToLower(p))
		if d < bestDistance || d == bestDistance && p < best {
			best, bestDistance = p, d
		}
	}
	if bestDistance > 2 || bestDistance >= len(name) {
		return ""
	}
	return best
}
