// Package explain says, in a form for people and programs, what the attachment rules make of a store: every scope with its
// ordered plugins, and every plugin with a verdict per target. It starts nothing and is pure.
package explain
