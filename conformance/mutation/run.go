package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// limit bounds one run; a forced condition may make a loop endless, which counts as noticed.
const limit = 60 * time.Second

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w; run this from within the module", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// build makes one test binary with all mutants in it.
func build(ctx context.Context, root, dir string) ([]mutant, string, error) {
	sources, err := filepath.Glob(filepath.Join(root, rules, "*.go"))
	if err != nil {
		return nil, "", err
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	var m mutator
	put := func(name string, content []byte) error {
		to := filepath.Join(dir, name)
		overlay.Replace[filepath.Join(root, rules, name)] = to
		return os.WriteFile(to, content, 0o600)
	}
	for _, path := range sources {
		name := filepath.Base(path)
		if _, other := others[name]; other || strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, "", err
		}
		changed, err := m.file(name, source)
		if err != nil {
			return nil, "", err
		}
		if err := put(name, changed); err != nil {
			return nil, "", err
		}
	}
	for name := range others {
		if !slices.Contains(sources, filepath.Join(root, rules, name)) {
			return nil, "", fmt.Errorf("%s/%s is not there any more; correct the list in main.go", rules, name)
		}
	}
	if len(m.mutants) == 0 {
		return nil, "", fmt.Errorf("%s holds no conditions; correct the path in main.go", rules)
	}
	if err := put("mutants.go", m.helper(filepath.Base(rules))); err != nil {
		return nil, "", err
	}
	raw, err := json.Marshal(overlay)
	if err != nil {
		return nil, "", err
	}
	list, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "golden.test")
	if err := os.WriteFile(list, raw, 0o600); err != nil {
		return nil, "", err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", list, "-o", binary, "./"+golden)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("the mutated package does not compile: %w\n%s", err, out)
	}
	return m.mutants, binary, nil
}

type result struct {
	mutant
	// noticedBy is the first world that failed, "" if none did.
	noticedBy string
}

// try runs the goldens once unchanged, where they must pass, and then once per mutant.
func try(ctx context.Context, root, binary string, mutants []mutant) ([]result, error) {
	by, out, err := once(ctx, root, binary, 0)
	if err != nil {
		return nil, err
	}
	if by != "" {
		return nil, fmt.Errorf("the goldens fail without any change; correct that first:\n%s", out)
	}
	results := make([]result, len(mutants))
	errs := make([]error, len(mutants))
	var group sync.WaitGroup
	slots := make(chan struct{}, runtime.NumCPU())
	for i, m := range mutants {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			noticed, _, err := once(ctx, root, binary, m.id)
			results[i], errs[i] = result{m, noticed}, err
		})
	}
	group.Wait()
	return results, errors.Join(errs...)
}

var failed = regexp.MustCompile(`(?m)^\s*--- FAIL: TestEveryWorldIsExplainedAsItsGoldenFileSays/(\S+)`)

// once runs the goldens with one mutant chosen, and says which of them noticed.
func once(ctx context.Context, root, binary string, id int) (by string, out []byte, err error) {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(bounded, binary, "-test.run", "TestEveryWorldIsExplainedAsItsGoldenFileSays")
	cmd.Dir = filepath.Join(root, golden)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", variable, id))
	var buffer bytes.Buffer
	cmd.Stdout, cmd.Stderr = &buffer, &buffer
	runErr := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", nil, ctx.Err()
	case runErr == nil:
		return "", buffer.Bytes(), nil
	case bounded.Err() != nil:
		return "an endless loop", buffer.Bytes(), nil
	case !errors.As(runErr, &exit):
		return "", nil, runErr
	}
	if m := failed.FindSubmatch(buffer.Bytes()); m != nil {
		return string(m[1]), buffer.Bytes(), nil
	}
	return "a panic", buffer.Bytes(), nil
}
