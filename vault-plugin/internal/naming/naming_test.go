package naming_test

import (
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
)

// Package names tests the rules. Each name here is legal for one kind of name and not for another.
func TestEachFieldHasTheRuleOfItsKind(t *testing.T) {
	for _, c := range []struct {
		name                   string
		workspace, env, secret bool
	}{
		{"acme", true, true, true},
		{"rotate", false, true, true},
		{"0", true, true, false},
		{"DATABASE_URL", false, false, true},
		{"a/b", false, false, false},
	} {
		for field, legal := range map[string]bool{"workspace": c.workspace, "environment": c.env, "name": c.secret} {
			check := naming.Check
			if field == "name" {
				check = naming.CheckSecret
			}
			if err := check(field, c.name); (err == nil) != legal {
				t.Errorf("as %s, %q: %v", field, c.name, err)
			} else if err != nil && (!fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), "invalid: "+field+": ")) {
				t.Errorf("as %s, %q is refused with %v", field, c.name, err)
			}
		}
	}
}
