package modules

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/modules/fetch"
	"github.com/wasmpoint/wasmpoint/modules/location"
	"github.com/wasmpoint/wasmpoint/modules/store"
)

// identity is what a Source boils down to. Two owners with equal keys want the same thing as the same registry account, so
// they share the work, its result and its failures; an owner with other credentials shares none of them.
type identity struct {
	// key is an HMAC over content and account: it stands in the index file, where the account must not be guessable.
	key string
	// content names location and checksum, without the account.
	content string
	always  bool
	sha     string
	req     fetch.Request
}

// refusal is a Source that no attempt can help.
type refusal struct{ reason, text string }

// identify computes a Source's identity. It does no I/O.
func (m *Manager) identify(src Source) (identity, refusal) {
	loc, err := location.Parse(src.URL, src.BaseDir)
	if err != nil {
		return identity{}, refusal{ext.ReasonInvalidURL, err.Error()}
	}
	sha := strings.ToLower(strings.TrimPrefix(src.SHA256, "sha256:"))
	if sha != "" && !store.IsDigest(sha) {
		return identity{}, refusal{ext.ReasonInvalidURL,
			fmt.Sprintf("sha256 %q is not a SHA-256 digest; write its 64 hex digits, or leave the field out", clip(src.SHA256, 100))}
	}
	account, err := m.fetcher.Account(loc, src.DockerConfig)
	if err != nil {
		return identity{}, refusal{ext.ReasonPullDenied, fmt.Sprintf("url %q: %v", loc.Shown, err)}
	}
	id := identity{content: loc.Canonical() + "\x00" + sha, sha: sha,
		req: fetch.Request{Location: loc, Auth: account, HasSecret: len(src.DockerConfig) > 0}}
	switch {
	case sha != "" || loc.Pinned():
		// The content is fixed: asking again could only fail.
	case src.PullPolicy == "Always":
		id.always = true
	case src.PullPolicy != "IfNotPresent":
		id.always = loc.Moves()
	}
	mac := hmac.New(sha256.New, m.secret)
	mac.Write([]byte(id.content))
	// Marshalling an account of plain strings cannot fail.
	text, _ := json.Marshal(account)
	mac.Write(append([]byte{0}, text...))
	id.key = hex.EncodeToString(mac.Sum(nil))
	return id, refusal{}
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}

// reasonOf is the condition reason for a failed attempt.
func reasonOf(k fetch.Kind) string {
	switch k {
	case fetch.Denied:
		return ext.ReasonPullDenied
	case fetch.Mismatch:
		return ext.ReasonChecksumMismatch
	case fetch.Invalid:
		return ext.ReasonInvalidModule
	}
	return ext.ReasonFetchFailed
}
