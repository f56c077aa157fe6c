package fetch_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/modules/fetch"
)

func TestTheBestEntryOfAPullSecretIsFound(t *testing.T) {
	entry := func(key, user string) string { return `"` + key + `":{"username":"` + user + `","password":"p"}` }
	config := []byte(`{"auths":{` + strings.Join([]string{
		entry("https://index.docker.io/v1/", "hub"), entry("ghcr.io", "gh"), entry("ghcr.io/team", "team"), entry("*.example.com", "wild"),
		entry("r.example.com", "exact"), entry("localhost:5000", "port"),
	}, ",") + `}}`)
	for _, c := range []struct{ host, repo, user string }{
		{"index.docker.io", "library/x", "hub"}, {"ghcr.io", "other/x", "gh"}, {"ghcr.io", "team/x", "team"}, {"ghcr.io", "team2/x", "gh"},
		{"a.example.com", "x", "wild"}, {"a.b.example.com", "x", ""}, {"r.example.com", "x", "exact"}, {"localhost:5000", "x", "port"},
		{"localhost:5001", "x", ""}, {"quay.io", "x", ""},
	} {
		got, err := fetch.Credentials(config, c.host, c.repo)
		if err != nil || got.Username != c.user {
			t.Errorf("%s/%s: %q, %v", c.host, c.repo, got.Username, err)
		}
	}
	got, err := fetch.Credentials([]byte(`{"auths":{"r":{"auth":"dTpw"}}}`), "r", "x")
	if err != nil || got.Username != "u" || got.Password != "p" {
		t.Errorf("auth field: %v %v", got.Username, err)
	}
}

func TestABrokenPullSecretIsAnErrorThatTellsNothingOfIt(t *testing.T) {
	for _, bad := range []string{"s3cret", `{"s3cret":1}`, `null`, `{"auths":{"r":"s3cret"}}`, `{"auths":{"r":{"auth":"czNjcmV0"}}}`, `{"auths":{"r":{"auth":"%%s3cret"}}}`} {
		_, err := fetch.Credentials([]byte(bad), "r", "x")
		if !errors.Is(err, fetch.ErrSecret) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
