package names_test

import (
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/names"
)

func TestNames(t *testing.T) {
	cases := []struct {
		name                      string
		workspace, object, secret bool
	}{
		{"a", true, true, true},
		{"0", true, true, false},
		{"acme", true, true, true},
		{"a-b_c9", true, true, true},
		{"rotate", false, true, true},
		{"rotated", true, true, true},
		{strings.Repeat("a", 64), true, true, true},
		{strings.Repeat("a", 65), false, false, true},
		{strings.Repeat("a", 255), false, false, true},
		{strings.Repeat("a", 256), false, false, false},
		{"-a", false, false, false},
		{"a-", false, false, true},
		{"_a", false, false, true},
		{"a_", false, false, true},
		{"A", false, false, true},
		{"DATABASE_URL", false, false, true},
		{"a.b", false, false, true},
		{"a.", false, false, true},
		{"a..b", false, false, false},
		{"..", false, false, false},
		{".a", false, false, false},
		{"", false, false, false},
		{" a", false, false, false},
		{"a/b", false, false, false},
		{"a\n", false, false, false},
		{"a\x00", false, false, false},
		{"ä", false, false, false},
		{"a=b", false, false, false},
	}
	for _, c := range cases {
		for kind, valid := range map[names.Kind]bool{names.Workspace: c.workspace, names.Object: c.object, names.Secret: c.secret} {
			err := kind.Check(c.name)
			if (err == nil) != valid {
				t.Errorf("as kind %d, %q: %v", kind, c.name, err)
			}
		}
	}
}

// A value that is given in the place of a name must not become visible.
func TestAnErrorDoesNotRepeatTheName(t *testing.T) {
	for _, kind := range []names.Kind{names.Workspace, names.Object, names.Secret} {
		if err := kind.Check("planted value"); err == nil || strings.Contains(err.Error(), "planted") {
			t.Errorf("as kind %d: %v", kind, err)
		}
	}
}
