package engine

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/modules"
	"github.com/wasmpoint/wasmpoint/xds/build"
)

// keepGood is how many last good variants are kept per plugin: the newest, and the one before for a proxy that refuses
// what another one took.
const keepGood = 2

// pluginState is what the engine knows of one plugin beyond the object itself.
type pluginState struct {
	plugin *model.Plugin
	module modules.State
	// wanted is the variant of the current generation, nil while its module is not here.
	wanted *build.Variant
	// good are the variants that a proxy acknowledged, newest first.
	good []*build.Variant
	// pendingUntil ends the time in which a serving proxy goes on without the plugin; zero when nothing is waited for.
	pendingUntil time.Time
	// waited tells that the waiting time was given once; it is given again only after the module had been here.
	waited bool
	// refused tells that nothing may be fetched for the plugin (see source).
	refused bool
	// scopes are the places in which the plugin stands.
	scopes map[model.Scope]bool
	// affects are the objects that accepted the plugin.
	affects []status.TargetKey
}

// entry is the plugin's place in a slot. fits tells which last good variants may stand there: the rules judged the plugin as
// it is now, and a variant of an older generation may be of another type, or need a permission that this one does not.
// For a place that is leaving they judged it as it was then, so what is wanted now has to fit as well.
func (s *pluginState) entry(leaving bool, fits func(*build.Variant) bool) build.Entry {
	e := build.Entry{Plugin: s.plugin.Key, Fail: s.plugin.FailStrategy, Pending: !s.pendingUntil.IsZero()}
	if s.wanted != nil && (!leaving || fits(s.wanted)) {
		e.Wanted = s.wanted.Hash
		e.Variants = append(e.Variants, s.wanted)
	}
	for _, v := range s.good {
		if v.Hash != e.Wanted && fits(v) {
			e.Variants = append(e.Variants, v)
		}
	}
	return e
}

// resolve recomputes the wanted variant and tells whether the plugin's entry changed.
func (s *pluginState) resolve(m modules.State, now time.Time, wait time.Duration) bool {
	before, pending := s.wanted, s.pendingUntil
	s.module = m
	switch p := s.plugin; {
	case p.Invalid != "":
		s.wanted = nil
	case p.Wasm == nil:
		s.wanted = build.NewVariant(p, "")
	case m.Ready:
		s.wanted = build.NewVariant(p, m.Digest)
	default:
		s.wanted = nil
	}
	switch {
	case s.wanted != nil || len(s.good) > 0:
		s.pendingUntil, s.waited = time.Time{}, s.wanted == nil
	case !s.waited:
		s.pendingUntil, s.waited = now.Add(wait), true
	}
	if before == nil || s.wanted == nil {
		return before != s.wanted || pending.IsZero() != s.pendingUntil.IsZero()
	}
	return before.Hash != s.wanted.Hash || before.Generation != s.wanted.Generation
}

// expire ends the waiting time when it is over; it tells whether the plugin's entry changed.
func (s *pluginState) expire(now time.Time) bool {
	if s.pendingUntil.IsZero() || now.Before(s.pendingUntil) {
		return false
	}
	s.pendingUntil = time.Time{}
	return true
}

// promote notes that a proxy runs the wanted variant; it tells whether the durable state changed.
func (s *pluginState) promote() bool {
	if s.wanted == nil {
		return false
	}
	if len(s.good) > 0 && s.good[0].Hash == s.wanted.Hash {
		news := s.good[0].Generation != s.wanted.Generation // where it is to stand may be elsewhere now
		s.good = slices.Clone(s.good)                       // the saver may be reading the old list
		s.good[0] = s.wanted
		return news
	}
	good := []*build.Variant{s.wanted}
	for _, v := range s.good {
		if v.Hash != s.wanted.Hash && len(good) < keepGood {
			good = append(good, v)
		}
	}
	s.good = good
	return true
}

// learn takes in what another replica knows to be good; it tells whether that is news.
func (s *pluginState) learn(variants []*build.Variant) bool {
	all := slices.Concat(s.good, variants)
	slices.SortStableFunc(all, func(a, b *build.Variant) int { return cmp.Compare(b.Generation, a.Generation) })
	var good []*build.Variant
	for _, v := range all {
		if len(good) < keepGood && !slices.ContainsFunc(good, func(g *build.Variant) bool { return g.Hash == v.Hash }) {
			good = append(good, v)
		}
	}
	same := slices.EqualFunc(good, s.good, func(a, b *build.Variant) bool { return a.Hash == b.Hash })
	s.good = good
	return !same
}

// source is what the module manager has to fetch for a plugin, or the state that says why nothing may be fetched.
func (e *Engine) source(p *model.Plugin) (modules.Source, *modules.State) {
	s := modules.Source{
		URL: p.Wasm.URL, SHA256: p.Wasm.SHA256, PullPolicy: p.Wasm.PullPolicy, BaseDir: p.SourceDir, Generation: p.Generation,
	}
	if refused := e.hostEnvRefused(p); refused != nil {
		return s, refused
	}
	if p.Wasm.VerificationKey != "" {
		return s, &modules.State{
			Reason: extv1.ReasonVerificationNotSupported,
			Err:    "verificationKey is set, but signatures cannot be checked yet, so the module is not used; pin it with sha256 instead",
		}
	}
	if p.Wasm.PullSecret == "" {
		return s, nil
	}
	name := types.NamespacedName{Namespace: p.Namespace, Name: p.Wasm.PullSecret}
	secret := e.store.Secret(name)
	switch {
	case secret == nil:
		return s, &modules.State{
			Reason: extv1.ReasonPullSecretNotFound,
			Err:    fmt.Sprintf("imagePullSecret %s does not exist; create it, with type %s", name, corev1.SecretTypeDockerConfigJson),
		}
	case secret.Type != corev1.SecretTypeDockerConfigJson || len(secret.Data[corev1.DockerConfigJsonKey]) == 0:
		return s, &modules.State{
			Reason: extv1.ReasonPullSecretNotFound,
			Err:    fmt.Sprintf("imagePullSecret %s has type %q; it needs type %s and the key %s", name, secret.Type, corev1.SecretTypeDockerConfigJson, corev1.DockerConfigJsonKey),
		}
	}
	s.DockerConfig = secret.Data[corev1.DockerConfigJsonKey]
	return s, nil
}
