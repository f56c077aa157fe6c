package rules

import (
	"encoding/base64"
	"strings"
	"testing"
)

func mustParse(t *testing.T, config string) *Rules {
	t.Helper()
	r, err := Parse([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func basic(userPassword string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(userPassword))
}

func TestDecisions(t *testing.T) {
	const founding = `{"basic_auth_rules":[{"prefix":"/productpage","request_methods":["GET","POST"],
		"credentials":["ok:test","YWRtaW4zOmFkbWluMw=="]}]}`
	const two = `{"basic_auth_rules":[
		{"prefix":"/","request_methods":["GET"],"credentials":["any:one","ok:test"]},
		{"exact":"/admin","request_methods":["GET"],"credentials":["ok:test"]}]}`
	const hosts = `{"basic_auth_rules":[{"prefix":"/","hosts":["exact.example","*.suffix.example","prefix.*"],
		"request_methods":["GET"],"credentials":["ok:test"]}]}`
	const suffix = `{"basic_auth_rules":[{"suffix":".pdf","request_methods":["GET"],"credentials":["ok:test"]}]}`
	for _, c := range []struct {
		name, config string
		request      Request
		want         Decision
	}{
		{"no credentials on a guarded path", founding, Request{Method: "GET", Path: "/productpage"}, NoCredentials},
		{"credentials configured in clear", founding, Request{Method: "GET", Path: "/productpage", Authorization: basic("ok:test")}, Passed},
		{"credentials configured as base64", founding, Request{Method: "GET", Path: "/productpage", Authorization: "Basic YWRtaW4zOmFkbWluMw=="}, Passed},
		{"base64 without padding", founding, Request{Method: "GET", Path: "/productpage", Authorization: "Basic YWRtaW4zOmFkbWluMw"}, Passed},
		{"the scheme in small letters", founding, Request{Method: "GET", Path: "/productpage", Authorization: "basic YWRtaW4zOmFkbWluMw=="}, Passed},
		{"the second method", founding, Request{Method: "POST", Path: "/productpage"}, NoCredentials},
		{"a method that no rule names", founding, Request{Method: "PUT", Path: "/productpage"}, NotRequired},
		{"a path that no rule names", founding, Request{Method: "GET", Path: "/static/x.css"}, NotRequired},
		{"a path below the prefix", founding, Request{Method: "GET", Path: "/productpage/1"}, NoCredentials},
		{"wrong password", founding, Request{Method: "GET", Path: "/productpage", Authorization: basic("ok:tess")}, WrongCredentials},
		{"a credential with something behind it", founding, Request{Method: "GET", Path: "/productpage", Authorization: basic("ok:test2")}, WrongCredentials},
		{"another scheme", founding, Request{Method: "GET", Path: "/productpage", Authorization: "Bearer b2s6dGVzdA=="}, NoCredentials},
		{"the scheme alone", founding, Request{Method: "GET", Path: "/productpage", Authorization: "Basic"}, NoCredentials},
		{"credentials that are no base64", founding, Request{Method: "GET", Path: "/productpage", Authorization: "Basic ok:test"}, NoCredentials},
		{"two Authorization headers joined", founding, Request{Method: "GET", Path: "/productpage", Authorization: basic("ok:test") + "," + basic("ok:test")}, NoCredentials},

		{"a query string does not hide the path", `{"basic_auth_rules":[{"exact":"/a","request_methods":["GET"],"credentials":["ok:test"]}]}`,
			Request{Method: "GET", Path: "/a?b=c"}, NoCredentials},
		{"a query string does not complete a suffix", suffix, Request{Method: "GET", Path: "/a?b=c.pdf"}, NotRequired},
		{"a query string does not hide a suffix", suffix, Request{Method: "GET", Path: "/a.pdf?b"}, NoCredentials},
		{"a percent-encoded path is covered", founding, Request{Method: "GET", Path: "/%70roductpage"}, NoCredentials},
		{"a path with dot segments is covered", founding, Request{Method: "GET", Path: "/x/../productpage"}, NoCredentials},
		{"a path with encoded dot segments is covered", founding, Request{Method: "GET", Path: "/x/%2e%2E%2fproductpage"}, NoCredentials},
		{"a path with doubled slashes is covered", founding, Request{Method: "GET", Path: "//productpage"}, NoCredentials},
		{"a path with backslashes is covered", founding, Request{Method: "GET", Path: `/x\..\productpage`}, NoCredentials},
		{"a broken percent sign is no error", founding, Request{Method: "GET", Path: "/%zz%"}, NotRequired},
		{"a request without a path is covered by every rule of its method", founding, Request{Method: "GET"}, NoCredentials},

		{"all covering rules have to be satisfied", two, Request{Method: "GET", Path: "/admin", Authorization: basic("any:one")}, WrongCredentials},
		{"one credential may satisfy both", two, Request{Method: "GET", Path: "/admin", Authorization: basic("ok:test")}, Passed},
		{"only the rules that cover the path count", two, Request{Method: "GET", Path: "/b", Authorization: basic("any:one")}, Passed},

		{"an exact host", hosts, Request{Method: "GET", Path: "/", Authority: "exact.example"}, NoCredentials},
		{"an exact host in capitals and with a port", hosts, Request{Method: "GET", Path: "/", Authority: "EXACT.example:8080"}, NoCredentials},
		{"a host by suffix", hosts, Request{Method: "GET", Path: "/", Authority: "a.suffix.example"}, NoCredentials},
		{"a host by prefix", hosts, Request{Method: "GET", Path: "/", Authority: "prefix.com"}, NoCredentials},
		{"another host", hosts, Request{Method: "GET", Path: "/", Authority: "not-exact.example"}, NotRequired},
		{"an IPv6 host keeps its colons", `{"basic_auth_rules":[{"prefix":"/","hosts":["[::1]"],"request_methods":["GET"],"credentials":["ok:test"]}]}`,
			Request{Method: "GET", Path: "/", Authority: "[::1]"}, NoCredentials},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := mustParse(t, c.config).Decide(c.request); got != c.want {
				t.Errorf("decision %d, want %d", got, c.want)
			}
		})
	}
}

func TestTheChallengeNamesTheRealm(t *testing.T) {
	const rule = `"basic_auth_rules":[{"prefix":"/","request_methods":["GET"],"credentials":["ok:test"]}]`
	for config, want := range map[string]string{
		`{` + rule + `}`: `Basic realm="istio"`,
		`{"realm":"the \"shop\" \\",` + rule + `}`: `Basic realm="the \"shop\" \\"`,
	} {
		if got := mustParse(t, config).Challenge(); got != want {
			t.Errorf("challenge %s, want %s", got, want)
		}
	}
}

func TestABadConfigurationIsRefusedWithTheFieldAndTheNextStep(t *testing.T) {
	inRule := func(fields string) string { return `{"basic_auth_rules":[{` + fields + `}]}` }
	for _, c := range []struct{ name, config, want string }{
		{"nothing at all", " ", "there is no configuration; pluginConfig needs basic_auth_rules with at least one rule"},
		{"no JSON", "basic_auth_rules: []", "the configuration is no valid JSON object"},
		{"cut off", `{"basic_auth_rules":[`, "the configuration is no valid JSON object"},
		{"two objects", inRule(`"prefix":"/","request_methods":["GET"],"credentials":["ok:test"]`) + "{}",
			"something follows the JSON object; the configuration has to be one object"},
		{"a list", "[]", "the configuration: is a JSON array; expected an object"},
		{"an unknown field", `{"rules":[]}`, `unknown field "rules"; the configuration has basic_auth_rules and realm, a rule has hosts, prefix, exact, suffix, request_methods and credentials`},
		{"an unknown field of a rule", inRule(`"regex":"/.*"`), `unknown field "regex"; the configuration has basic_auth_rules and realm, a rule has hosts, prefix, exact, suffix, request_methods and credentials`},
		{"a wrong type", inRule(`"prefix":7`), "basic_auth_rules.prefix: is a JSON number; expected a string"},
		{"a text for a list", inRule(`"request_methods":"GET"`), "basic_auth_rules.request_methods: is a JSON string; expected a list"},
		{"no rules", `{}`, "basic_auth_rules is missing or empty, which would let every request through; give it at least one rule, or delete the plugin"},
		{"a bad realm", `{"realm":"a\nb","basic_auth_rules":[{"prefix":"/"}]}`, "realm: contains a control character; use printable text"},
		{"no path pattern", inRule(`"request_methods":["GET"]`), "basic_auth_rules[0]: has 0 of prefix, exact and suffix; give exactly one"},
		{"two path patterns", inRule(`"prefix":"/","exact":"/a"`), "basic_auth_rules[0]: has 2 of prefix, exact and suffix; give exactly one"},
		{"an empty pattern", inRule(`"suffix":""`), `basic_auth_rules[0].suffix: is empty; for every path write prefix: "/"`},
		{"a bad host", inRule(`"prefix":"/","hosts":["a","b*c*"]`), `basic_auth_rules[0].hosts[1]: "b*c*" is no host; write a host name, or one with a single * at its start or end`},
		{"an empty host", inRule(`"prefix":"/","hosts":[""]`), `basic_auth_rules[0].hosts[0]: "" is no host; write a host name, or one with a single * at its start or end`},
		{"no methods", inRule(`"prefix":"/","credentials":["ok:test"]`), `basic_auth_rules[0].request_methods: is missing or empty; list the methods to guard, as in ["GET", "POST"]`},
		{"a method in small letters", inRule(`"prefix":"/","request_methods":["get"],"credentials":["ok:test"]`), `basic_auth_rules[0].request_methods[0]: "get" is no HTTP method; methods are written in capitals, as in GET`},
		{"no credentials", inRule(`"prefix":"/","request_methods":["GET"]`), "basic_auth_rules[0].credentials: is missing or empty; list who may pass, as user:password or its base64 form"},
		{"a credential in neither form", inRule(`"prefix":"/","request_methods":["GET"],"credentials":["ok:test","s3cr=t!"]`), "basic_auth_rules[0].credentials[1]: is neither user:password nor base64; write user:password, or the base64 of it"},
		{"base64 of something else", inRule(`"prefix":"/","request_methods":["GET"],"credentials":["c2VjcmV0"]`), "basic_auth_rules[0].credentials[0]: is base64 of something without a colon; write user:password, or the base64 of it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.config))
			if err == nil {
				t.Fatal("accepted")
			}
			if err.Error() != c.want {
				t.Errorf("error\n%s\nwant\n%s", err, c.want)
			}
		})
	}
}

func TestNoErrorRepeatsACredential(t *testing.T) {
	for _, config := range []string{
		`{"basic_auth_rules":[{"prefix":"/","request_methods":["GET"],"credentials":["topsecret"]}]}`,
		`{"basic_auth_rules":[{"prefix":"/","request_methods":["GET"],"credentials":"user:topsecret"}]}`,
		`{"basic_auth_rules":[{"prefix":"/","request_methods":["GET"],"credentials":["user:topsecret"`,
	} {
		if _, err := Parse([]byte(config)); err == nil || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("error %v", err)
		}
	}
}

func FuzzNoSpellingOfAGuardedPathGoesUnseen(f *testing.F) {
	f.Add("/x/../a%2fb")
	f.Fuzz(func(t *testing.T, p string) {
		for _, s := range spellings(p) {
			if s == "" {
				t.Errorf("%q has an empty spelling", p)
			}
		}
	})
}
