package location_test

import (
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/modules/location"
)

func TestURLsNameThePlacesThatTheirUsersMean(t *testing.T) {
	hex := strings.Repeat("0a", 32)
	for _, c := range []struct {
		url, canonical string
		kind           location.Kind
		pinned, moves  bool
	}{
		{"oci://ghcr.io/a/b:1", "oci://ghcr.io/a/b:1", location.OCI, false, false},
		{"OCI://ghcr.io/a/b:1", "oci://ghcr.io/a/b:1", location.OCI, false, false},
		{"ghcr.io/a/b", "oci://ghcr.io/a/b:latest", location.OCI, false, true},
		{"localhost:5000/x:1", "oci://localhost:5000/x:1", location.OCI, false, false},
		{"host:5000/x", "oci://host:5000/x:latest", location.OCI, false, true},
		{"oci:5000/x:1", "oci://oci:5000/x:1", location.OCI, false, false},
		{"nginx", "oci://index.docker.io/library/nginx:latest", location.OCI, false, true},
		{"org/plugin:2", "oci://index.docker.io/org/plugin:2", location.OCI, false, false},
		{"docker.io/org/plugin:2", "oci://index.docker.io/org/plugin:2", location.OCI, false, false},
		{"oci://r.example/p@sha256:" + hex, "oci://r.example/p@sha256:" + hex, location.OCI, true, false},
		{"oci://r.example/p:1@sha256:" + hex, "oci://r.example/p@sha256:" + hex, location.OCI, true, false},
		{"HTTP://Host.Example/X.wasm?a=b#c", "http://host.example/X.wasm?a=b", location.HTTP, false, false},
		{"https://h:8443/x", "https://h:8443/x", location.HTTP, false, false},
		{"file:///a/../b/x.wasm", "file:///b/x.wasm", location.File, false, true},
		{"file://localhost/b/x.wasm", "file:///b/x.wasm", location.File, false, true},
		{"file://./sub/x%20y.wasm", "file:///base/sub/x y.wasm", location.File, false, true},
		{"file://../x.wasm", "file:///x.wasm", location.File, false, true},
	} {
		l, err := location.Parse(c.url, "/base")
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		if l.Canonical() != c.canonical || l.Kind != c.kind || l.Pinned() != c.pinned || l.Moves() != c.moves {
			t.Errorf("%s: got %q kind %v pinned %v moves %v", c.url, l.Canonical(), l.Kind, l.Pinned(), l.Moves())
		}
	}
}

func TestNoMessageRepeatsASecretOfTheURL(t *testing.T) {
	for _, url := range []string{
		"https://me:s3cret@host/x.wasm", "oci://me:s3cret@host/x:1", "me:s3cret@host/x:1", "ftp://me:s3cret@host/x", "https://host/x y?sig=s3cret", "ftp://host/x?sig=s3cret",
		"oci://host/x?token=s3cret", "http://[::1/?s3cret",
	} {
		_, err := location.Parse(url, "")
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if l, _ := location.Parse("https://host/x.wasm?sig=s3cret", ""); strings.Contains(l.Shown, "s3cret") {
		t.Errorf("shown as %s", l.Shown)
	}
}
