package fault_test

import (
	"fmt"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

func TestEveryKindHasItsWordAndStatus(t *testing.T) {
	cases := []struct {
		err    *fault.Error
		status int
		text   string
	}{
		{fault.New(fault.Invalid, "field: %d", 1), 400, "invalid: field: 1"},
		{fault.New(fault.NotFound, "parent"), 400, "not_found: parent"},
		{fault.Missing("last segment"), 404, "not_found: last segment"},
		{fault.New(fault.Conflict, "x"), 409, "conflict: x"},
		{fault.New(fault.Locked, "x"), 409, "locked: x"},
		{fault.New(fault.Limit, "x"), 400, "limit: x"},
		{fault.New(fault.Denied, "x"), 403, "denied: x"},
		{fault.New(fault.Unavailable, "x"), 503, "unavailable: x"},
		{fault.Damaged("x"), 500, "unavailable: x"},
	}
	for _, c := range cases {
		if c.err.Status != c.status || c.err.Error() != c.text {
			t.Errorf("%d %q, want %d %q", c.err.Status, c.err, c.status, c.text)
		}
		wrapped := fmt.Errorf("while: %w", c.err)
		if !fault.Is(wrapped, c.err.Kind) || fault.Is(wrapped, "another") || fault.Is(nil, c.err.Kind) {
			t.Errorf("Is does not recognise the kind of %q", c.text)
		}
	}
}
