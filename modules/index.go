package modules

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/wasmpoint/wasmpoint/modules/store"
)

// resolution is what a source led to.
type resolution struct {
	Digest   string    `json:"digest"`
	Size     int64     `json:"size"`
	ABI      string    `json:"abi"`
	Resolved string    `json:"resolved,omitempty"`
	At       time.Time `json:"at"`
}

// proof says that an owner of that key and generation got that resolution.
type proof struct {
	Key        string `json:"key"`
	Generation int64  `json:"generation"`
	resolution
}

// index remembers, across restarts, what was proven. It is guarded by the Manager's lock.
type index struct {
	Version int `json:"version"`
	// Sources: the newest resolution by identity key.
	Sources map[string]resolution `json:"sources"`
	// Owners keeps each owner at the module that it has, even if the tag moved for others meanwhile.
	Owners map[string]proof `json:"owners"`
	// Artifacts: the module in an OCI manifest, by registry, repository and manifest digest.
	Artifacts map[string]resolution `json:"artifacts"`
}

const indexVersion = 1

func newIndex() index {
	return index{indexVersion, map[string]resolution{}, map[string]proof{}, map[string]resolution{}}
}

// forget drops everything that leads to a module.
func (x *index) forget(digest string) {
	maps.DeleteFunc(x.Sources, func(_ string, r resolution) bool { return r.Digest == digest })
	maps.DeleteFunc(x.Owners, func(_ string, p proof) bool { return p.Digest == digest })
	maps.DeleteFunc(x.Artifacts, func(_ string, r resolution) bool { return r.Digest == digest })
}

func (x *index) clone() index {
	return index{x.Version, maps.Clone(x.Sources), maps.Clone(x.Owners), maps.Clone(x.Artifacts)}
}

// loadIndex reads the index; one that cannot be read is as good as none, as everything in it can be found out again.
func (m *Manager) loadIndex() {
	m.index = newIndex()
	raw, err := os.ReadFile(filepath.Join(m.o.Dir, "index.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	read := newIndex()
	if err == nil {
		err = json.Unmarshal(raw, &read)
	}
	if err == nil && read.Version != indexVersion {
		err = fmt.Errorf("version %d", read.Version)
	}
	if err != nil {
		m.log.Warn("the module index cannot be read; sources will be asked again", "err", err)
		return
	}
	for _, p := range []*map[string]resolution{&read.Sources, &read.Artifacts} {
		if *p == nil {
			*p = map[string]resolution{}
		}
	}
	if read.Owners == nil {
		read.Owners = map[string]proof{}
	}
	m.index = read
}

// keepIndex writes the index after each change, in the background, and once more at the end.
func (m *Manager) keepIndex() {
	defer m.wg.Done()
	write := func() {
		m.mu.Lock()
		x := m.index.clone()
		m.mu.Unlock()
		raw, err := json.Marshal(x)
		if err == nil {
			err = store.WriteFile(filepath.Join(m.o.Dir, "index.json"), raw, 0o600)
		}
		if err != nil {
			m.log.Error("the module index cannot be written; after a restart sources will be asked again", "err", err)
		}
	}
	for {
		select {
		case <-m.dirtyIndex:
			write()
		case <-m.ctx.Done():
			write()
			return
		}
	}
}

// saveSoon asks for the index to be written; never blocks.
func (m *Manager) saveSoon() {
	select {
	case m.dirtyIndex <- struct{}{}:
	default:
	}
}

// loadSecret reads or makes the key of the identities.
func loadSecret(dir string) ([]byte, error) {
	path := filepath.Join(dir, "key")
	key, err := os.ReadFile(path)
	if err == nil && len(key) == 32 {
		return key, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key = make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	return key, store.WriteFile(path, key, 0o600)
}
