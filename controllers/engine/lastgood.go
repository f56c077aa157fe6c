package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
)

// LastGood keeps, durably, the variants that proxies acknowledged. A restarted controller falls back to them while a
// module cannot be had, and followers read them, never status (the design's "Durable last good").
type LastGood interface {
	// Load reads everything that was kept.
	Load() (map[model.Key][]*build.Variant, error)
	// Save replaces everything that is kept.
	Save(map[model.Key][]*build.Variant) error
}

// FileLastGood keeps the last good variants in one JSON file (standalone mode).
type FileLastGood struct {
	// Path of the file; its folder must exist.
	Path string
}

// lastGoodFormat is the version of the file. Another one is an error: to start without the last good variants would be
// silent.
const lastGoodFormat = 1

type lastGoodFile struct {
	Version int             `json:"version"`
	Plugins []lastGoodEntry `json:"plugins"`
}

type lastGoodEntry struct {
	Plugin   model.Key        `json:"plugin"`
	Variants []*build.Variant `json:"variants"`
}

// Load reads the file; a missing one is an empty state, a broken one an error that names it.
func (f FileLastGood) Load() (map[model.Key][]*build.Variant, error) {
	out := map[model.Key][]*build.Variant{}
	raw, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, fmt.Errorf("last good configurations: %w", err)
	}
	var content lastGoodFile
	if err := json.Unmarshal(raw, &content); err != nil {
		return nil, fmt.Errorf("last good configurations in %s are unreadable: %w; move the file away to start without them", f.Path, err)
	}
	if content.Version != lastGoodFormat {
		return nil, fmt.Errorf("last good configurations in %s have format %d, and this wasmpoint reads format %d; "+
			"start the one that wrote them, or move the file away to start without them", f.Path, content.Version, lastGoodFormat)
	}
	for _, e := range content.Plugins {
		out[e.Plugin] = e.Variants
	}
	return out, nil
}

// Save writes the file anew and renames it into place.
func (f FileLastGood) Save(good map[model.Key][]*build.Variant) error {
	content := lastGoodFile{Version: lastGoodFormat}
	for k, v := range good {
		content.Plugins = append(content.Plugins, lastGoodEntry{Plugin: k, Variants: v})
	}
	sort.Slice(content.Plugins, func(i, j int) bool {
		return content.Plugins[i].Plugin.String() < content.Plugins[j].Plugin.String()
	})
	raw, err := json.MarshalIndent(content, "", " ")
	if err != nil {
		return fmt.Errorf("last good configurations: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(f.Path), ".lastgood-*")
	if err != nil {
		return fmt.Errorf("last good configurations: %w", err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // gone after the rename
	if _, err := tmp.Write(raw); err != nil {
		_ = tmp.Close()
		return fmt.Errorf("last good configurations: %w", err)
	}
	if err := tmp.Sync(); err != nil {
		_ = tmp.Close()
		return fmt.Errorf("last good configurations: %w", err)
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("last good configurations: %w", err)
	}
	if err := os.Rename(tmp.Name(), f.Path); err != nil {
		return fmt.Errorf("last good configurations: %w", err)
	}
	return nil
}
