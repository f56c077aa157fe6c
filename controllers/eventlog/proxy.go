package eventlog

import (
	"strings"

	"github.com/wasmpoint/wasmpoint/controllers/status"
)

func proxyName(p status.ProxyRow) string { return "proxy of " + p.Gateway + " (" + p.ID + ")" }

func (d *diff) proxies() {
	old := index(d.prev.Proxies, proxyName)
	for _, p := range d.next.Proxies {
		o := old[proxyName(p)]
		switch {
		case !p.Connected.IsZero() && o.Connected.IsZero():
			d.info("%s: connected%s", proxyName(p), version(p))
		case !p.Connected.Equal(o.Connected) && !p.Connected.IsZero():
			d.info("%s: connected again%s", proxyName(p), version(p))
		case p.Connected.IsZero() && !o.Connected.IsZero():
			d.warn("%s: disconnected", proxyName(p))
		}
		if p.LastNACK != "" && !p.LastNACKTime.Equal(o.LastNACKTime) && !d.blamed(p.LastNACK) {
			d.warn("%s: refused: %s", proxyName(p), oneLine(p.LastNACK))
		}
	}
	for _, name := range gone(d.prev.Proxies, d.next.Proxies, proxyName) {
		if !old[name].Connected.IsZero() {
			d.info("%s: disconnected", name)
		}
	}
}

func version(p status.ProxyRow) string {
	if p.EnvoyVersion == "" {
		return ""
	}
	return ", Envoy " + p.EnvoyVersion
}

// blamed tells whether a plugin's line already carries the refusal.
func (d *diff) blamed(text string) bool {
	// The start is enough: messages carry long texts shortened.
	text = oneLine(text)
	text = text[:min(len(text), 200)]
	for _, p := range d.next.Plugins {
		for _, t := range p.Targets {
			if strings.Contains(t.ProgrammedMessage, text) {
				return true
			}
		}
	}
	return false
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
