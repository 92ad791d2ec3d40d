package resources

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"
)

func TestWhenAVersionIsWritten(t *testing.T) {
	text, number, null := types.StringValue, types.Int64Value, types.StringNull()
	wo := func(version int64) secret {
		return secret{ValueWO: null, ValueWOVersion: number(version), Version: number(3), OnDrift: text(overwrite), Encoding: text("text")}
	}
	plain := func(value string) secret {
		return secret{Value: text(value), Version: number(3), OnDrift: text(overwrite), Encoding: text("text")}
	}
	stub := secret{Version: number(3), OnDrift: text(overwrite), Encoding: text("text")}
	ignoring := wo(1)
	ignoring.OnDrift = text(ignore)
	given := secret{ValueWO: text("v")}
	encoded := wo(1)
	encoded.Encoding = text("base64")
	cases := []struct {
		name                string
		config, plan, prior secret
		last                int64
		want                bool
	}{
		{"nothing has changed", given, wo(1), wo(1), 3, false},
		{"a greater number", given, wo(2), wo(1), 3, true},
		{"a smaller number", given, wo(1), wo(2), 3, true},
		{"drift: someone else wrote a version", given, wo(1), wo(1), 2, true},
		{"drift that is ignored", given, ignoring, wo(1), 2, false},
		{"a value that was set elsewhere", given, wo(1), stub, 0, true},
		{"after an import, with its number", given, wo(importedNumber), wo(importedNumber), 3, false},
		{"after an import, with another number", given, wo(importedNumber + 1), wo(importedNumber), 3, true},
		{"after an import, drift", given, wo(importedNumber), wo(importedNumber), 2, true},
		{"from a value in the state to a write-only one", given, wo(1), plain("v"), 3, true},
		{"another encoding", given, encoded, wo(1), 3, true},
		{"the same value", plain("v"), plain("v"), plain("v"), 3, false},
		{"another value", plain("w"), plain("w"), plain("v"), 3, true},
		{"a value that is not known yet", secret{Value: types.StringUnknown()}, plain("v"), plain("v"), 3, true},
		{"a value set elsewhere", secret{}, stub, stub, 0, false},
		{"a value set elsewhere, formerly set here", secret{}, stub, wo(1), 2, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := sends(&c.config, &c.plan, &c.prior, written{Version: c.last}); got != c.want {
				t.Errorf("%t, want %t", got, c.want)
			}
		})
	}
}
