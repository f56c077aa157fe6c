package fetch

import (
	"encoding/json"
	"errors"
	"path"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

// ErrSecret is returned for a pull secret that is no docker config JSON. It deliberately says nothing of the content.
var ErrSecret = errors.New(`the pull secret is not a docker config: its key .dockerconfigjson must hold {"auths": {"registry": {"auth": "…"}}}`)

// Credentials finds the account for a repository of a registry in a docker config JSON: the entry whose key matches best,
// as Kubernetes does it (host, host with a path, * for one label of the host). No entry gives an empty account and no
// error. Credential helpers that the config names are not run: the text comes from tenants, and helpers are programs.
func Credentials(dockerConfig []byte, registry, repository string) (authn.AuthConfig, error) {
	if len(dockerConfig) == 0 {
		return authn.AuthConfig{}, nil
	}
	var config struct {
		Auths map[string]json.RawMessage `json:"auths"`
	}
	if err := json.Unmarshal(dockerConfig, &config); err != nil || config.Auths == nil {
		return authn.AuthConfig{}, ErrSecret
	}
	best, bestKey, bestScore := json.RawMessage(nil), "", -1
	for key, value := range config.Auths {
		score := match(key, registry, repository)
		// Two keys may match equally well (docker.io in its spellings); take the same one every time.
		if score > bestScore || score == bestScore && score >= 0 && key < bestKey {
			best, bestKey, bestScore = value, key, score
		}
	}
	if bestScore < 0 {
		return authn.AuthConfig{}, nil
	}
	var account authn.AuthConfig
	if err := json.Unmarshal(best, &account); err != nil {
		return authn.AuthConfig{}, ErrSecret
	}
	return account, nil
}

// match scores how well a key of the config fits a repository: -1 not at all, longer is better.
func match(key, registry, repository string) int {
	key = strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
	host, dir, _ := strings.Cut(strings.TrimSuffix(key, "/"), "/")
	if dir == "v1" || dir == "v2" {
		dir = ""
	}
	if dockerHub(host) && dockerHub(registry) {
		host = registry
	}
	if dir != "" && repository != dir && !strings.HasPrefix(repository, dir+"/") {
		return -1
	}
	if strings.EqualFold(host, registry) {
		return 2*len(dir) + 1
	}
	want, have := strings.Split(host, "."), strings.Split(registry, ".")
	if len(want) != len(have) || !strings.Contains(host, "*") {
		return -1
	}
	for i := range want {
		if ok, err := path.Match(strings.ToLower(want[i]), strings.ToLower(have[i])); !ok || err != nil {
			return -1
		}
	}
	return 2 * len(dir)
}

func dockerHub(host string) bool {
	switch strings.ToLower(host) {
	case "docker.io", "index.docker.io", "registry-1.docker.io":
		return true
	}
	return false
}

func hasAuth(a authn.AuthConfig) bool { return a != (authn.AuthConfig{}) }
