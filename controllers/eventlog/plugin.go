package eventlog

import (
	"fmt"
	"strings"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

func pluginName(p status.PluginRow) string {
	return strings.ToLower(p.Kind) + " " + p.Namespace + "/" + p.Name
}

func targetName(t status.TargetRow) string {
	if t.Namespace == "" {
		return t.Kind + " " + t.Name
	}
	return t.Kind + " " + t.Namespace + "/" + t.Name
}

func (d *diff) plugins() {
	old := index(d.prev.Plugins, pluginName)
	for _, p := range d.next.Plugins {
		o := old[pluginName(p)]
		d.module(p, o)
		d.targets(p, o)
	}
	for _, name := range gone(d.prev.Plugins, d.next.Plugins, pluginName) {
		d.info("%s: deleted", name)
	}
}

// module tells what became of the module. Another attempt with the same error is no news.
func (d *diff) module(p, o status.PluginRow) {
	m, was := p.Module, o.Module
	name := pluginName(p)
	switch {
	case m.Ready && (!was.Ready || was.Digest != m.Digest):
		d.info("%s: module %s is here (%s)", name, m.Digest, m.URL)
	case m.Ready || m.URL == "":
	case m.Error != "" && (was.Ready || was.Error != m.Error || was.Reason != m.Reason):
		d.warn("%s: %s: %s", name, m.Reason, about(m.URL, oneLine(m.Error)))
	case m.Error == "" && (was.URL != m.URL || was.Ready || was.Error != ""):
		d.info("%s: fetching %s", name, m.URL)
	}
}

// targets has one line per target whose state changed.
func (d *diff) targets(p, o status.PluginRow) {
	old := index(o.Targets, targetName)
	name := pluginName(p)
	for _, t := range p.Targets {
		was, known := old[targetName(t)]
		if known && state(p, t) == state(o, was) {
			continue
		}
		switch {
		case !t.Accepted:
			d.warn("%s: not accepted: %s: %s", name, t.Reason, about(targetName(t), t.Message))
		case t.Programmed:
			d.info("%s: %s: programmed on %d/%d proxies", name, targetName(t), t.Running, t.Total)
		case t.ProgrammedReason == ext.ReasonRefused:
			d.warn("%s: %s: %s", name, targetName(t), t.ProgrammedMessage)
		case t.ProgrammedReason == ext.ReasonModuleMissing:
			d.info("%s: %s: waits for its module; %s", name, targetName(t), t.ProgrammedMessage)
		default:
			d.info("%s: %s: accepted; %s", name, targetName(t), t.ProgrammedMessage)
		}
	}
	for _, gone := range gone(o.Targets, p.Targets, targetName) {
		d.info("%s: %s: no longer a target", name, gone)
	}
	// A plugin without any target row says in its summary why it applies nowhere.
	if len(p.Targets) == 0 && !p.Accepted && p.Message != "" && (p.Reason != o.Reason || p.Message != o.Message) {
		d.warn("%s: applies nowhere: %s: %s", name, p.Reason, p.Message)
	}
}

// about puts a subject before a text that does not begin with it already.
func about(subject, text string) string {
	if strings.HasPrefix(text, subject) {
		return text
	}
	return subject + ": " + text
}

// state is what a target's line depends on. Counts are left out, and the generation counts once it runs: a changed
// configuration that took effect is news.
func state(p status.PluginRow, t status.TargetRow) string {
	switch {
	case !t.Accepted:
		return "no " + t.Reason + " " + t.Message
	case t.Programmed:
		return fmt.Sprintf("runs %d", p.Generation)
	case t.ProgrammedReason == ext.ReasonRefused:
		return "refused " + withoutCounts(t.ProgrammedMessage)
	}
	return t.ProgrammedReason
}

// withoutCounts cuts "1/3 proxies run it; " off.
func withoutCounts(message string) string {
	_, rest, _ := strings.Cut(message, "; ")
	return rest
}
