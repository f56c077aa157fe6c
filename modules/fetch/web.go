package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/wasmpoint/wasmpoint/modules/unpack"
)

// openHTTP does nothing yet: what a web server has is known only by loading it.
func (f *Fetcher) openHTTP(_ context.Context, req Request) (*Artifact, error) {
	a := &Artifact{Name: req.Location.Shown}
	a.load = func(ctx context.Context, into *unpack.Scanner) error { return f.loadHTTP(ctx, req, a, into) }
	return a, nil
}

func (f *Fetcher) loadHTTP(ctx context.Context, req Request, a *Artifact, into *unpack.Scanner) error {
	secure := req.Location.URL.Scheme == "https"
	// http:// in the url is the user's own decision; a redirect from https:// to http:// is not.
	t := &trip{plain: func(string) bool { return !secure }, limit: f.o.MaxDownload}
	r, err := http.NewRequestWithContext(withTrip(ctx, t), http.MethodGet, req.Location.URL.String(), nil)
	if err != nil {
		return errf(Unavailable, "%s: %v", a.Name, err)
	}
	r.Header.Set("User-Agent", "wasmpoint")
	r.Header.Set("Accept-Encoding", "identity")
	client := &http.Client{Transport: guard{f.o.Transport, f.o.Stall}}
	resp, err := client.Do(r)
	if err != nil {
		return explain(a.Name, req, t, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return status(a.Name, req, t, resp.StatusCode, "")
	}
	sum := sha256.New()
	src := &source{r: io.TeeReader(resp.Body, sum), wrap: func(err error) error { return explain(a.Name, req, t, err) }}
	return scanAll(src, into, "", a.Name, func() error {
		a.Digests = []string{hex.EncodeToString(sum.Sum(nil))}
		return nil
	})
}

// openFile refuses what is not a regular file before it is opened: opening a named pipe would wait for a writer.
func (f *Fetcher) openFile(req Request) (*Artifact, error) {
	name, path := req.Location.Shown, req.Location.Path
	inside, err := f.inside(path)
	if err != nil {
		return nil, errf(Denied, "%s: %v", name, err)
	}
	a := &Artifact{Name: name}
	a.load = func(_ context.Context, into *unpack.Scanner) error {
		files, closeFolder, err := f.folder()
		if err != nil {
			return errf(Unavailable, "%s: %v", name, err)
		}
		defer closeFolder()
		info, err := fs.Stat(files, inside)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return errf(Unavailable, "%s: there is no file %s; build the module, or correct the path", name, path)
		case err != nil:
			return errf(Unavailable, "%s: %v", name, err)
		case info.IsDir():
			return errf(Unavailable, "%s: %s is a folder; name the module's file in it", name, path)
		case !info.Mode().IsRegular():
			return errf(Unavailable, "%s: %s is not a regular file", name, path)
		case info.Size() > f.o.MaxDownload:
			return errf(Invalid, "%s: %v", name, tooLarge(f.o.MaxDownload))
		}
		file, err := files.Open(inside)
		if err != nil {
			return errf(Unavailable, "%s: %v; make the file readable", name, err)
		}
		defer func() { _ = file.Close() }()
		sum := sha256.New()
		src := &source{r: io.TeeReader(io.LimitReader(file, f.o.MaxDownload), sum), wrap: func(err error) error { return errf(Unavailable, "%s: %v", name, err) }}
		return scanAll(src, into, "", name, func() error {
			a.Digests = []string{hex.EncodeToString(sum.Sum(nil))}
			return nil
		})
	}
	return a, nil
}

// inside is a path's name in the folder of which files may be read.
func (f *Fetcher) inside(path string) (string, error) {
	if f.o.Files == "" {
		return "", errors.New("files are not allowed here, they would be the controller's own; use oci:// or https://, or start the controller with --module-dir")
	}
	inside, err := filepath.Rel(f.o.Files, path)
	if err != nil || !filepath.IsLocal(inside) {
		return "", fmt.Errorf("%s is not below %s, the only folder of which files may be named (--module-dir)", path, f.o.Files)
	}
	return filepath.ToSlash(inside), nil
}

// folder opens it. No link leads out of it, unless all files may be read.
func (f *Fetcher) folder() (fs.FS, func(), error) {
	if f.o.Files == "/" {
		return os.DirFS("/"), func() {}, nil
	}
	root, err := os.OpenRoot(f.o.Files)
	if err != nil {
		return nil, nil, fmt.Errorf("--module-dir: %w", err)
	}
	return root.FS(), func() { _ = root.Close() }, nil
}
