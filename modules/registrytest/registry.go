// Package registrytest runs an image registry in the test's own process, and builds images of every form byte by byte.
package registrytest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// Server is a registry on a loopback port. Requests pass the hook, if one is set, and are counted.
type Server struct {
	// Host is host:port.
	Host string
	t    testing.TB
	http *httptest.Server

	mu     sync.Mutex
	hook   func(w http.ResponseWriter, r *http.Request) bool
	counts map[string]int
}

// Start runs a registry until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, counts: map[string]int{}}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		hook := s.hook
		if r.Header.Get("X-Test") == "" {
			s.counts[r.Method+" "+r.URL.Path]++
		}
		s.mu.Unlock()
		if hook != nil && r.Header.Get("X-Test") == "" && hook(w, r) {
			return
		}
		inner.ServeHTTP(w, r)
	}))
	s.Host = strings.TrimPrefix(s.http.URL, "http://")
	t.Cleanup(s.http.Close)
	return s
}

// Hook sets a function that may answer a request itself (true) in the registry's place. The test's own pushes pass it by.
func (s *Server) Hook(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = f
}

// Kill ends the registry: connections are refused from then on.
func (s *Server) Kill() {
	s.http.CloseClientConnections()
	s.http.Close()
}

// Count is the number of requests so far whose method is the given one and whose path contains the text.
func (s *Server) Count(method, text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for key, count := range s.counts {
		if m, path, _ := strings.Cut(key, " "); m == method && strings.Contains(path, text) {
			n += count
		}
	}
	return n
}

// Digest is the "sha256:…" form of the data's SHA-256.
func Digest(data []byte) string { return "sha256:" + Hex(data) }

// Hex is the hex SHA-256 of the data.
func Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Layer is one layer of an image.
type Layer struct {
	MediaType string
	Data      []byte
}

// Image is an image manifest in the making. Empty fields take OCI's values.
type Image struct {
	MediaType    string
	ConfigType   string
	Config       []byte
	ArtifactType string
	Layers       []Layer
}

// Entry is one image of an index.
type Entry struct {
	Digest, OS, Arch string
	Annotations      map[string]string
}

// Media types of the forms that images come in.
const (
	DockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	OCIManifest    = "application/vnd.oci.image.manifest.v1+json"
	OCIIndex       = "application/vnd.oci.image.index.v1+json"
	DockerConfig   = "application/vnd.docker.container.image.v1+json"
	OCIConfig      = "application/vnd.oci.image.config.v1+json"
	DockerLayer    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	OCILayer       = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// Push stores an image under repo:ref and returns its manifest's digest.
func (s *Server) Push(repo, ref string, img Image) string {
	s.t.Helper()
	or := func(v *string, def string) {
		if *v == "" {
			*v = def
		}
	}
	or(&img.MediaType, OCIManifest)
	or(&img.ConfigType, OCIConfig)
	if img.Config == nil {
		img.Config = []byte("{}")
	}
	m := map[string]any{"schemaVersion": 2, "mediaType": img.MediaType, "config": s.blob(repo, img.ConfigType, img.Config)}
	layers := []any{}
	for _, l := range img.Layers {
		layers = append(layers, s.blob(repo, l.MediaType, l.Data))
	}
	m["layers"] = layers
	if img.ArtifactType != "" {
		m["artifactType"] = img.ArtifactType
	}
	raw, _ := json.Marshal(m)
	return s.Manifest(repo, ref, img.MediaType, raw)
}

// PushIndex stores an index under repo:ref and returns its digest.
func (s *Server) PushIndex(repo, ref string, entries ...Entry) string {
	s.t.Helper()
	list := []any{}
	for _, e := range entries {
		d := map[string]any{"mediaType": OCIManifest, "digest": e.Digest, "size": 1}
		if e.OS != "" || e.Arch != "" {
			d["platform"] = map[string]string{"os": e.OS, "architecture": e.Arch}
		}
		if e.Annotations != nil {
			d["annotations"] = e.Annotations
		}
		list = append(list, d)
	}
	raw, _ := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": OCIIndex, "manifests": list})
	return s.Manifest(repo, ref, OCIIndex, raw)
}

// Manifest stores any manifest under repo:ref and returns its digest.
func (s *Server) Manifest(repo, ref, mediaType string, raw []byte) string {
	s.t.Helper()
	if ref == "" {
		ref = Digest(raw)
	}
	s.send(http.MethodPut, "/v2/"+repo+"/manifests/"+ref, mediaType, raw)
	return Digest(raw)
}

func (s *Server) blob(repo, mediaType string, data []byte) map[string]any {
	s.t.Helper()
	s.send(http.MethodPost, "/v2/"+repo+"/blobs/uploads/?digest="+Digest(data), "application/octet-stream", data)
	return map[string]any{"mediaType": mediaType, "digest": Digest(data), "size": len(data)}
}

func (s *Server) send(method, path, contentType string, data []byte) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.http.URL+path, bytes.NewReader(data))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("X-Test", "1")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(resp.Body)
		s.t.Fatalf("%s %s: %s: %s", method, path, resp.Status, text)
	}
}
