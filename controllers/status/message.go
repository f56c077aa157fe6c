package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

const (
	// maxText bounds one foreign text (an Envoy NACK, a registry's answer) inside a message, in bytes.
	maxText = 512
	// maxListed bounds how many places, refusals or targets a message lists before it counts the rest.
	maxListed = 3
)

// clip shortens a foreign text to maxText bytes without cutting a character, and to one line.
func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= maxText {
		return s
	}
	cut := maxText
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// about puts a subject before a text that does not begin with it already.
func about(subject, text string) string {
	if strings.HasPrefix(text, subject) {
		return text
	}
	return subject + ": " + text
}

// few joins the first items and counts the rest.
func few(items []string, sep string) string {
	if len(items) <= maxListed {
		return strings.Join(items, sep)
	}
	return strings.Join(items[:maxListed], sep) + fmt.Sprintf("%sand %d more", sep, len(items)-maxListed)
}

// places tells where an accepted plugin runs.
func places(scopes []model.Scope) string {
	if len(scopes) == 0 {
		return "attached"
	}
	items := make([]string, 0, len(scopes))
	for _, s := range scopes {
		text := "Gateway " + s.Gateway.String()
		if !s.Service.IsZero() {
			text = fmt.Sprintf("%s %s/%s at waypoint %s", s.Service.Kind, s.Service.Namespace, s.Service.Name, s.Gateway)
		}
		items = append(items, fmt.Sprintf("%s port %d", text, s.Port))
	}
	return "attached to " + few(items, ", ")
}

// proxiesMessage is "2/3 proxies run it", followed by who refused and by what happens instead.
func proxiesMessage(p Proxies) string {
	parts := []string{fmt.Sprintf("%d/%d proxies run it", p.Running, p.Total)}
	if p.Total == 0 {
		parts[0] = "no proxy is connected"
	}
	if text := refusals(p.Refusals); text != "" {
		parts = append(parts, text)
	}
	for _, n := range p.Notes {
		parts = append(parts, clip(n))
	}
	return strings.Join(parts, "; ")
}

// refusals groups equal errors: a plugin that a thousand proxies refuse is one sentence.
func refusals(list []Refusal) string {
	type group struct {
		text    string
		proxies []string
	}
	var groups []group
	at := map[string]int{}
	for _, r := range list {
		i, known := at[r.Error]
		if !known {
			i = len(groups)
			at[r.Error] = i
			groups = append(groups, group{text: r.Error})
		}
		groups[i].proxies = append(groups[i].proxies, r.Proxy)
	}
	for _, g := range groups {
		slices.Sort(g.proxies)
	}
	slices.SortFunc(groups, func(a, b group) int { return cmp.Compare(a.text, b.text) })
	items := make([]string, 0, len(groups))
	for _, g := range groups {
		items = append(items, fmt.Sprintf("refused by %s: %s", few(g.proxies, ", "), clip(g.text)))
	}
	return few(items, "; ")
}

// targetText is "Gateway default/bookinfo-gateway", and without the slash for cluster-scoped kinds.
func targetText(t model.TargetRef) string {
	switch {
	case t.Kind == "":
		return ""
	case t.Namespace == "":
		return t.Kind + " " + t.Name
	}
	return t.Kind + " " + t.Namespace + "/" + t.Name
}

// firstOf is the first item and the number of the others, as "Gateway/a +2".
func firstOf(items []string) string {
	switch len(items) {
	case 0:
		return ""
	case 1:
		return items[0]
	}
	return fmt.Sprintf("%s +%d", items[0], len(items)-1)
}

// short is a digest in the length that git uses.
func short(digest string) string {
	digest = strings.TrimPrefix(digest, "sha256:")
	return digest[:min(12, len(digest))]
}
