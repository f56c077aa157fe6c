package rules

import (
	"path"
	"strings"
)

// spellings returns the request's path without query string and fragment, and, if it differs, in the plain form that a
// backend may read it as: percent-decoded, backslashes as slashes, dot segments and empty segments removed. A rule covers
// a request if it matches either, so that /x/../admin or /%61dmin is no way around a rule for /admin, whatever the
// proxy's own path normalization is set to. No path, no spellings.
func spellings(p string) []string {
	if cut := strings.IndexAny(p, "?#"); cut >= 0 {
		p = p[:cut]
	}
	if p == "" {
		return nil
	}
	if !strings.Contains(p, "%") && !strings.Contains(p, `\`) && !strings.Contains(p, "//") && !strings.Contains(p, "/.") {
		return []string{p}
	}
	plain := strings.ReplaceAll(percentDecode(p), `\`, "/")
	clean := path.Clean("/" + plain)
	if strings.HasSuffix(plain, "/") && clean != "/" {
		clean += "/"
	}
	return []string{p, clean}
}

// percentDecode decodes what is well-formed and leaves the rest as it is.
func percentDecode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2])
			if hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
