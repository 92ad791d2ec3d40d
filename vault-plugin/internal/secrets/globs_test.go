package secrets

import (
	"path"
	"testing"
)

// FuzzGlobs holds that a pattern that was let in can be read for every name: one that could not would match nothing, and exclude
// would deliver what it was to leave out.
func FuzzGlobs(f *testing.F) {
	for _, glob := range []string{"", "*", "DB_*", "[A-C]?", "[", "[^", `\`, "A[", "[]a]", "[a-", "*[-]"} {
		f.Add(glob, "DB_URL")
	}
	f.Fuzz(func(t *testing.T, glob, name string) {
		if (Selection{Exclude: []string{glob}}).Check() != nil {
			return
		}
		matches, err := path.Match(glob, name)
		if err != nil {
			t.Fatalf("%q was let in, and cannot be read for %q", glob, name)
		}
		if (Selection{Include: []string{glob}}).takes(name) != matches || (Selection{Exclude: []string{glob}}).takes(name) == matches {
			t.Fatalf("%q takes %q otherwise than it matches it", glob, name)
		}
	})
}
