package files

import (
	"io"
	"time"
)

// Load reads files and folders (with their subfolders: *.yaml, *.yml, *.json; hidden ones and editors' backups are passed
// over). What is wrong stands in the Result's Errors; a file with an error gives no objects. A plugin
// that breaks a rule that no schema can hold is no error here, unlike in Watch: it stands in the Result with
// model.Plugin.Invalid, and gets the verdict Invalid.
func Load(paths ...string) Result { return LoadWith(nil, paths...) }

// LoadWith is Load with a reader for the path "-".
func LoadWith(stdin io.Reader, paths ...string) Result {
	s := newSet(paths, stdin)
	s.refresh(time.Time{}, nil)
	return s.result()
}

// Parse reads one file's content from memory; name stands in the positions, and its folder in SourceDir.
func Parse(name string, content []byte) Result {
	s := newSet(nil, nil)
	f := &file{}
	s.files[name] = f
	s.take(name, f, content, nil, time.Time{})
	return s.result()
}
