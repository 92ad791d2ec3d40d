package secrets

import (
	"path"
	"testing"
	"unicode/utf8"
)

// FuzzGlobs checks that an accepted pattern is valid for every name. An invalid pattern would match
// nothing, so exclude would deliver what it should leave out.
func FuzzGlobs(f *testing.F) {
	for _, glob := range []string{"", "*", "DB_*", "[A-C]?", "[", "[^", `\`, "A[", "[]a]", "[a-", "*[-]"} {
		f.Add(glob, "DB_URL")
	}
	f.Fuzz(func(t *testing.T, glob, name string) {
		if (Selection{Exclude: []string{glob}}).Check() != nil || !utf8.ValidString(name) {
			return
		}
		matches, err := path.Match(glob, name)
		if err != nil {
			t.Fatalf("%q was accepted, but is invalid for %q", glob, name)
		}
		if (Selection{Include: []string{glob}}).filter().Selects(name) != matches || (Selection{Exclude: []string{glob}}).filter().Selects(name) == matches {
			t.Fatalf("%q selects %q differently from path.Match", glob, name)
		}
	})
}
