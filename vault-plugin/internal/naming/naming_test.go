package naming_test

import (
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
)

func TestNames(t *testing.T) {
	cases := []struct {
		name                   string
		workspace, env, secret bool
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
		for field, legal := range map[string]bool{"workspace": c.workspace, "environment": c.env} {
			if err := naming.Check(field, c.name); (err == nil) != legal {
				t.Errorf("as %s, %q: %v", field, c.name, err)
			} else if err != nil && (!fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), "invalid: "+field+": ")) {
				t.Errorf("as %s, %q is refused with %v", field, c.name, err)
			}
		}
		if err := naming.CheckSecret("name", c.name); (err == nil) != c.secret {
			t.Errorf("as secret, %q: %v", c.name, err)
		}
	}
}
