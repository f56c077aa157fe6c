package samples

import (
	"os"
	"strings"
	"testing"
)

// block is the first block of shell lines after a heading.
func block(t *testing.T, file, heading string) []string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(raw), heading+"\n")
	_, section, _ = strings.Cut(section, "```sh\n")
	lines, _, ended := strings.Cut(section, "```")
	if !found || !ended {
		t.Fatalf("%s: no block of shell lines after %q", file, heading)
	}
	return strings.Split(strings.TrimSpace(lines), "\n")
}

// The conformance suite runs the lines of this folder's README (SamplesInACluster).
func TestTheLinesOfTheFirstPageAreAmongThoseThatTheSuiteRuns(t *testing.T) {
	run := strings.Join(block(t, "README.md", "### In a cluster"), "\n") + "\n"
	lines := block(t, "../../README.md", "### Gateways and waypoints that get their proxies")
	if len(lines) < 5 {
		t.Fatalf("only %d lines", len(lines))
	}
	for _, line := range lines {
		if !strings.Contains(run, line+"\n") {
			t.Errorf("README.md has %q, which is not in manifests/samples/README.md", line)
		}
	}
}
