package registrytest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"

	"github.com/klauspost/compress/zstd"
)

// File is a regular file of a tar archive.
type File struct {
	Name string
	Data []byte
}

// Tar packs files.
func Tar(files ...File) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		must(w.WriteHeader(&tar.Header{Name: f.Name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(f.Data))}))
		_, err := w.Write(f.Data)
		must(err)
	}
	must(w.Close())
	return b.Bytes()
}

// Gzip compresses.
func Gzip(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	must(err)
	must(w.Close())
	return b.Bytes()
}

// Zstd compresses.
func Zstd(data []byte) []byte {
	w, err := zstd.NewWriter(nil)
	must(err)
	return w.EncodeAll(data, nil)
}

// PluginLayer is a gzipped tar layer with the module as plugin.wasm.
func PluginLayer(mediaType string, module []byte) Layer {
	return Layer{mediaType, Gzip(Tar(File{"plugin.wasm", module}))}
}

// PluginImage is an OCI image of one such layer.
func PluginImage(module []byte) Image { return Image{Layers: []Layer{PluginLayer(OCILayer, module)}} }

// must stops at errors that writing to memory cannot have.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
