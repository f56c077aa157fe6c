package suite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

func kubeconfig(t *testing.T, server, user string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), []byte("certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config")
	text := "apiVersion: v1\nkind: Config\ncurrent-context: here\ncontexts:\n- {name: here, context: {cluster: c, user: u}}\n" +
		"- {name: other, context: {cluster: d, user: u}}\nclusters:\n- {name: c, cluster: {server: '" + server + "', certificate-authority: ca.crt}}\n" +
		"- {name: d, cluster: {server: 'https://d'}}\nusers:\n- {name: u, user: " + user + "}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestARelayedKubeconfigStillVerifiesTheServersName(t *testing.T) {
	for server, want := range map[string]string{"https://api.test": "api.test:443", "https://api.test:6443": "api.test:6443", "https://[::1]:6443": "[::1]:6443"} {
		to := filepath.Join(t.TempDir(), "config")
		address, err := RelayedKubeconfig(kubeconfig(t, server, "{token: abc}"), to, "127.0.0.1:1")
		if err != nil || address != want {
			t.Fatalf("%s: %q, %v", server, address, err)
		}
		config, err := clientcmd.BuildConfigFromFlags("", to)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.Trim(want[:strings.LastIndex(want, ":")], "[]")
		if config.Host != "https://127.0.0.1:1" || config.ServerName != name || config.BearerToken != "abc" || string(config.CAData) != "certificate" {
			t.Errorf("%s: %+v", server, config)
		}
	}
}

func TestAKubeconfigThatCannotWorkInsideIsRefusedWithTheReason(t *testing.T) {
	for _, c := range []struct{ server, user, text string }{
		{"https://api.test", "{exec: {apiVersion: client.authentication.k8s.io/v1, command: login}}", "token or a client certificate"},
		{"http://api.test", "{token: abc}", "no https:// URL"},
	} {
		to := filepath.Join(t.TempDir(), "config")
		if _, err := RelayedKubeconfig(kubeconfig(t, c.server, c.user), to, "127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s, %s: %v", c.server, c.user, err)
		}
	}
}
