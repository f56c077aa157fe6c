package routes

import "testing"

func TestHostnamesIntersectAsGatewayAPISays(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"*", "*", "*"},
		{"*", "a.test", "a.test"},
		{"a.test", "a.test", "a.test"},
		{"a.test", "b.test", ""},
		{"*.test", "a.test", "a.test"},
		{"*.test", "a.b.test", "a.b.test"},
		{"*.test", "test", ""},
		{"*.test", "atest", ""},
		{"*.test", "*.b.test", "*.b.test"},
		{"*.a.test", "*.b.test", ""},
		{"*.test", "*.test", "*.test"},
		{"*.test", "*", "*.test"},
	} {
		for _, pair := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			if got, ok := intersect(pair[0], pair[1]); got != c.want || ok != (c.want != "") {
				t.Errorf("intersect(%q, %q) = %q, %v; want %q", pair[0], pair[1], got, ok, c.want)
			}
		}
	}
}
