package routes

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// What follows refuses values that Envoy would refuse: a proxy refuses a whole routing table for one bad value, so one
// team's typing error would freeze everybody's routes. In a cluster the API server checks most of it; in files nobody does.

var (
	hostnameForm   = regexp.MustCompile(`^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	headerNameForm = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+\\-.^_\x60|~]+$")
	durationForm   = regexp.MustCompile(`^([0-9]{1,5}(h|m|s|ms)){1,4}$`)
)

// maxProgram bounds the compiled size of an expression, in steps. Envoy's limit (set in the bootstrap) lies above it.
const maxProgram = 20000

// checkRegex tells why an expression is not acceptable to Envoy's RE2, whose syntax is Go's.
func checkRegex(expr string) error {
	if _, err := regexp.Compile(expr); err != nil {
		return err
	}
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return err
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return err
	}
	// RE2 works on bytes, so a class of characters costs it a step or more for every range.
	size := 0
	for _, inst := range prog.Inst {
		size += 1 + 4*(len(inst.Rune)/2)
	}
	if size > maxProgram {
		return fmt.Errorf("the expression is too large (%d steps, %d at most)", size, maxProgram)
	}
	return nil
}

func checkHeaderName(name string) error {
	if !headerNameForm.MatchString(name) {
		return fmt.Errorf("%q is not the name of a header", name)
	}
	return nil
}

func checkHeaderValue(value string) error {
	if strings.ContainsAny(value, "\x00\r\n") {
		return fmt.Errorf("%q holds a line break", value)
	}
	return nil
}

// checkPath tells why a path cannot be matched or set. Proxies normalise paths before they match them, so a path that
// holds what normalisation removes could never match.
func checkPath(path string) error {
	switch {
	case !strings.HasPrefix(path, "/"):
		return fmt.Errorf("path %q must begin with /", path)
	case strings.ContainsAny(path, "?#\x00\r\n"):
		return fmt.Errorf("path %q must not hold ?, # or a line break", path)
	case strings.Contains(path, "//") || strings.Contains(path+"/", "/./") || strings.Contains(path+"/", "/../"):
		return fmt.Errorf("path %q holds //, /./ or /../, which no normalised path has", path)
	case strings.Contains(strings.ToLower(path), "%2f"):
		return fmt.Errorf("path %q holds %%2F, which no normalised path has", path)
	}
	return nil
}
