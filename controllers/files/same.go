package files

import (
	"os"
	"slices"
)

// same tells whether two results are equal; unchanged objects keep their pointer, so pointers are compared.
func same(a, b Result) bool {
	return slices.Equal(a.Notes, b.Notes) && slices.Equal(a.Errors, b.Errors) && slices.Equal(a.All(), b.All())
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
