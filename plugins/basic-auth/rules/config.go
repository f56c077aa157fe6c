package rules

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// DefaultRealm is the protection space that a 401 answer names when the configuration names none; it is the one of Istio's
// basic_auth plugin.
const DefaultRealm = "istio"

// config and rule are the JSON form; README.md documents it.
type config struct {
	Rules []rule  `json:"basic_auth_rules"`
	Realm *string `json:"realm"`
}

type rule struct {
	Hosts       []string `json:"hosts"`
	Prefix      *string  `json:"prefix"`
	Exact       *string  `json:"exact"`
	Suffix      *string  `json:"suffix"`
	Methods     []string `json:"request_methods"`
	Credentials []string `json:"credentials"`
}

// Parse reads a configuration in the JSON form of Istio's basic_auth plugin. It refuses whatever would leave a path less
// guarded than its author thinks: an unknown field, no rule at all, a rule without methods or credentials. Errors name the
// field and the next step, and never a credential.
func Parse(data []byte) (*Rules, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("there is no configuration; pluginConfig needs basic_auth_rules with at least one rule")
	}
	var c config
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return nil, decodeError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object; the configuration has to be one object")
	}
	if len(c.Rules) == 0 {
		return nil, errors.New("basic_auth_rules is missing or empty, which would let every request through; " +
			"give it at least one rule, or delete the plugin")
	}
	out := &Rules{realm: DefaultRealm}
	if c.Realm != nil {
		if strings.ContainsFunc(*c.Realm, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, errors.New("realm: contains a control character; use printable text")
		}
		out.realm = *c.Realm
	}
	for i, r := range c.Rules {
		compiled, err := compile(r)
		if err != nil {
			return nil, fmt.Errorf("basic_auth_rules[%d]%w", i, err)
		}
		out.rules = append(out.rules, compiled)
	}
	return out, nil
}

// compile checks one rule. Its errors begin with the field's path below the rule, or with a colon.
func compile(r rule) (compiledRule, error) {
	var out compiledRule
	patterns := 0
	for _, p := range []struct {
		field string
		value *string
		kind  matchKind
	}{{"prefix", r.Prefix, matchPrefix}, {"exact", r.Exact, matchExact}, {"suffix", r.Suffix, matchSuffix}} {
		if p.value == nil {
			continue
		}
		if *p.value == "" {
			return out, fmt.Errorf(`.%s: is empty; for every path write prefix: "/"`, p.field)
		}
		patterns++
		out.path = pattern{kind: p.kind, text: *p.value}
	}
	if patterns != 1 {
		return out, fmt.Errorf(": has %d of prefix, exact and suffix; give exactly one", patterns)
	}
	for i, h := range r.Hosts {
		p, err := hostPattern(h)
		if err != nil {
			return out, fmt.Errorf(".hosts[%d]: %w", i, err)
		}
		out.hosts = append(out.hosts, p)
	}
	if len(r.Methods) == 0 {
		return out, errors.New(`.request_methods: is missing or empty; list the methods to guard, as in ["GET", "POST"]`)
	}
	for i, m := range r.Methods {
		if m == "" || m != strings.ToUpper(m) {
			return out, fmt.Errorf(".request_methods[%d]: %q is no HTTP method; methods are written in capitals, as in GET", i, m)
		}
	}
	out.methods = r.Methods
	if len(r.Credentials) == 0 {
		return out, errors.New(".credentials: is missing or empty; list who may pass, as user:password or its base64 form")
	}
	for i, c := range r.Credentials {
		plain, err := credential(c)
		if err != nil {
			return out, fmt.Errorf(".credentials[%d]: %w", i, err)
		}
		out.credentials = append(out.credentials, plain)
	}
	return out, nil
}

// credential returns user:password of either accepted form. A colon never occurs in base64, so the forms cannot be mixed up.
func credential(s string) ([]byte, error) {
	if strings.Contains(s, ":") {
		return []byte(s), nil
	}
	plain, ok := decodeBase64(s)
	switch {
	case !ok:
		return nil, errors.New("is neither user:password nor base64; write user:password, or the base64 of it")
	case !bytes.Contains(plain, []byte(":")):
		return nil, errors.New("is base64 of something without a colon; write user:password, or the base64 of it")
	}
	return plain, nil
}

// decodeBase64 takes the standard alphabet with padding or without: both are in use, and both mean the same bytes.
func decodeBase64(s string) ([]byte, bool) {
	plain, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	return plain, err == nil
}

func hostPattern(h string) (pattern, error) {
	text := strings.ToLower(h)
	kind := matchExact
	switch {
	case strings.HasPrefix(text, "*"):
		kind, text = matchSuffix, text[1:]
	case strings.HasSuffix(text, "*"):
		kind, text = matchPrefix, text[:len(text)-1]
	}
	if h == "" || strings.Contains(text, "*") {
		return pattern{}, fmt.Errorf("%q is no host; write a host name, or one with a single * at its start or end", h)
	}
	return pattern{kind: kind, text: text}, nil
}

// decodeError says what json's error means for somebody who wrote YAML. It must not repeat the input: that holds passwords.
func decodeError(err error) error {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		field := wrongType.Field
		if field == "" {
			field = "the configuration"
		}
		return fmt.Errorf("%s: is a JSON %s; expected %s", field, strings.Fields(wrongType.Value)[0], jsonName(wrongType.Type.Kind().String()))
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("unknown field %s; the configuration has basic_auth_rules and realm, a rule has hosts, "+
			"prefix, exact, suffix, request_methods and credentials", name)
	}
	return errors.New("the configuration is no valid JSON object")
}

func jsonName(kind string) string {
	switch kind {
	case "slice":
		return "a list"
	case "struct":
		return "an object"
	}
	return "a " + kind
}
