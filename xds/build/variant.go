// Package build turns plugins into the ECDS resources of their slots. It is pure: no network, no clock, same input, same
// bytes (the design's promise 8).
package build

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Variant is one exact form of a plugin: code, configuration and VM identity. Two equal variants have equal hashes, and a
// hash holds nothing that changes without the plugin changing (no resource version, no time, no URL).
//
// It is stored as the durable last good configuration, so its fields are part of a file format.
type Variant struct {
	Plugin model.Key `json:"plugin"`
	// Generation is the plugin's generation that this variant was made from. It is not part of the hash.
	Generation int64 `json:"generation"`
	// Digest is the module's sha256 in lower-case hex; "" for Lua.
	Digest  string             `json:"digest,omitempty"`
	RootID  string             `json:"rootID,omitempty"`
	Config  []byte             `json:"config,omitempty"`
	Env     []model.EnvVar     `json:"env,omitempty"`
	Fail    model.FailStrategy `json:"fail"`
	VMID    string             `json:"vmID,omitempty"`
	Lua     string             `json:"lua,omitempty"`
	Network bool               `json:"network,omitempty"`
	// Hash identifies the variant.
	Hash string `json:"hash"`
	// Source is the plugin as it was, without its configuration: where it is to stand. It is no part of the identity. Should
	// the object become invalid, this is what stays in force, also over a restart.
	Source *model.Plugin `json:"source,omitempty"`
}

// NewVariant makes the variant of a valid plugin whose module has the given digest ("" for Lua).
func NewVariant(p *model.Plugin, digest string) *Variant {
	v := &Variant{
		Plugin: p.Key, Generation: p.Generation, Fail: p.FailStrategy, Lua: p.Lua, Network: p.Type == model.TypeNetwork,
	}
	if p.Wasm != nil {
		v.Digest, v.RootID, v.Config, v.Env = digest, p.Wasm.RootID, p.Wasm.Config, p.Wasm.Env
		v.VMID = vmID(p, digest)
	}
	v.Hash = v.hash()
	v.Source = withoutConfig(p)
	return v
}

func withoutConfig(p *model.Plugin) *model.Plugin {
	out := *p
	out.Lua, out.Superseded = "", nil
	if p.Wasm != nil {
		wasm := *p.Wasm
		wasm.Config = nil
		out.Wasm = &wasm
	}
	return &out
}

// Restore is the plugin of which this is a variant, nil when a former release kept the variant without it.
func (v *Variant) Restore() *model.Plugin {
	if v.Source == nil {
		return nil
	}
	out := *v.Source
	out.Lua = v.Lua
	if out.Wasm != nil {
		wasm := *out.Wasm
		wasm.Config = v.Config
		out.Wasm = &wasm
	}
	return &out
}

// Name is the plugin's name inside Envoy: the tag of its statistics and the name in Envoy's refusals.
func (v *Variant) Name() string { return v.Plugin.Namespace + "." + v.Plugin.Name }

// vmID is the design's VM identity: equal modules of a namespace share one VM as long as their environment and fail
// strategy agree. Envoy 1.40 counts the environment in by itself; older versions are reported not to, so it is hashed here.
func vmID(p *model.Plugin, digest string) string {
	parts := []any{digest, p.Wasm.Env, p.FailStrategy, p.Namespace}
	if p.Isolated {
		parts = append(parts, p.Key)
	}
	return hashOf(parts)[:16]
}

func (v *Variant) hash() string {
	w := *v
	w.Generation, w.Hash, w.Source = 0, "", nil
	return hashOf(w)[:24]
}

// hashOf hashes the JSON form: canonical, because the types hold no maps.
func hashOf(x any) string {
	b, err := json.Marshal(x)
	if err != nil {
		panic("build: unhashable value: " + err.Error()) // only reachable by a change of the types above
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Choice is what stands in one plugin's place: a variant, or its fail strategy.
type Choice struct {
	Plugin model.Key
	// Variant runs; nil means that the plugin cannot run and FAIL_CLOSE puts an error in its place.
	Variant *Variant
}

// Version is the version of a slot that holds these choices in this order. Delivery details (URL, attempt) stay outside,
// so a restarted controller comes to the same version and re-sends nothing.
func Version(choices []Choice) string {
	if len(choices) == 0 {
		return "empty"
	}
	h := sha256.New()
	for _, c := range choices {
		if c.Variant == nil {
			h.Write([]byte("deny " + c.Plugin.String() + "\n"))
			continue
		}
		h.Write([]byte(c.Variant.Hash + "\n"))
	}
	return strconv.Itoa(len(choices)) + "-" + hex.EncodeToString(h.Sum(nil)[:12])
}
