package main

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/controllers/addresses"
	"github.com/wasmpoint/wasmpoint/controllers/standalone"
)

func goodOptions() standalone.Options {
	return standalone.Options{AddressBlock: addresses.DefaultBlock, PortOffset: addresses.AutomaticOffset, Concurrency: 2, EnvoyLogLevel: "warning"}
}

func TestWrongFlagsOfStandaloneAreNamed(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) error {
		cmd := newStandaloneCommand()
		cmd.SetArgs(args)
		cmd.SetOut(io.Discard)
		cmd.SetErr(io.Discard)
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		return cmd.ExecuteContext(t.Context())
	}
	for want, args := range map[string][]string{
		"nothing to run; name the folders with the manifests":                 {},
		"manifests: stat " + dir + "/missing: no such file or directory":      {dir + "/missing"},
		`--mirror "example.com": give HOST=HOST[:PORT]`:                       {dir, "--mirror", "example.com"},
		`--mirror "a=c": a already has the mirror b`:                          {dir, "--mirror", "a=b", "--mirror", "a=c"},
		"--port-offset -2: give -1 for automatic, or 0 to 64512":              {dir, "--port-offset", "-2"},
		"--concurrency 0: an Envoy needs at least 1 worker thread":            {dir, "--concurrency", "0"},
		"--address-block: address block 10.0.0.0/8 is not inside 127.0.0.0/8": {dir, "--address-block", "10.0.0.0/8"},
		`--envoy-log-level: envoy log level "loud": "loud" is none of trace`:  {dir, "--envoy-log-level", "loud"},
		`--log-format "xml" is unknown; use text or json`:                     {dir, "--log-format", "xml", "--data-dir", dir},
	} {
		if err := run(args...); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v\nwant %s", args, err, want)
		}
	}
}

func TestTheDataFolderIsInTheUsersCacheOrElseALocalOne(t *testing.T) {
	dir := t.TempDir()
	for want, cache := range map[string]func() (string, error){
		filepath.Join("cache", "wasmpoint"): func() (string, error) { return "cache", nil },
		".wasmpoint":                        func() (string, error) { return "", errors.New("no home") },
	} {
		o := goodOptions()
		if err := finishOptions(&o, []string{dir}, []string{"r.example:5000=127.0.0.1:1"}, cache); err != nil || filepath.Dir(o.DataDir) != want {
			t.Errorf("got %q, %v; want a folder in %q", o.DataDir, err, want)
		}
		if o.Mirrors["r.example:5000"] != "127.0.0.1:1" || len(o.Dirs) != 1 {
			t.Errorf("got %+v", o)
		}
	}
	o := goodOptions()
	o.DataDir = "mine"
	if err := finishOptions(&o, []string{dir}, nil, nil); err != nil || o.DataDir != "mine" {
		t.Errorf("got %q, %v", o.DataDir, err)
	}
}

func TestEachSetOfManifestFoldersHasADataFolderOfItsOwn(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	t.Chdir(a)
	folder := func(dirs ...string) string {
		o := goodOptions()
		if err := finishOptions(&o, dirs, nil, func() (string, error) { return "cache", nil }); err != nil {
			t.Fatal(err)
		}
		return o.DataDir
	}
	if folder(a) == folder(b) || folder(a) == folder(a, b) {
		t.Error("two projects share a data folder")
	}
	if folder(".") != folder(a) || folder(a, b) != folder(b, a+"/") {
		t.Error("the same folders in other words have another data folder")
	}
}

func TestTheLogHasTwoForms(t *testing.T) {
	for format, want := range map[string]string{"text": `INFO  a line`, "json": `"msg":"a line"`} {
		var out bytes.Buffer
		l, err := newLogger(&out, format)
		if err != nil {
			t.Fatal(err)
		}
		if l.Info("a line"); !strings.Contains(out.String(), want) {
			t.Errorf("%s: got %s", format, out.String())
		}
	}
}
