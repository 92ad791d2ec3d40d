package crashtest

import (
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// TestAValueInAnotherVersionsPlaceIsNotDelivered changes the envelopes within heads, whose metadata
// stay. Every version that has a wrong one must be refused, and only that one.
func TestAValueInAnotherVersionsPlaceIsNotDelivered(t *testing.T) {
	const place = "acme/api/dev"
	clean := world(t)
	environments, _ := keysOf(t, clean.Storage)
	records, err := store.New(clean.Storage.Clone())
	if err != nil {
		t.Fatal(err)
	}
	head := func(place, name string) *store.Head {
		found, err := records.Head(t.Context(), environments[place], name)
		if err != nil || found == nil {
			t.Fatalf("%s/%s: %v", place, name, err)
		}
		return found
	}
	inline := func(place, name string, n uint64) []byte {
		sealed, _ := head(place, name).Value(n)
		return sealed
	}
	spilled, err := records.OldValue(t.Context(), environments[place], "C", 2)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name     string
		secret   string
		versions map[int][]byte
	}{
		{"an inline value in the newest one's place", "A", map[int][]byte{4: inline(place, "A", 3)}},
		{"the newest value in an inline one's place", "A", map[int][]byte{3: inline(place, "A", 4)}},
		{"two inline values swapped", "A", map[int][]byte{2: inline(place, "A", 3), 3: inline(place, "A", 2)}},
		{"an inline value of another secret", "A", map[int][]byte{3: inline(place, "C", 3)}},
		{"an inline value of another environment", "A", map[int][]byte{3: inline("acme/api/prod", "A", 3)}},
		{"an inline value of another workspace", "A", map[int][]byte{3: inline("other/api/dev", "A", 3)}},
		{"a spilled value in an inline one's place", "C", map[int][]byte{3: spilled.Sealed}},
		{"an inline value that was cut", "A", map[int][]byte{3: inline(place, "A", 3)[:20]}},
		{"an inline value that is gone", "A", map[int][]byte{3: nil}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := clean.Storage.Clone()
			written, err := store.New(s)
			if err != nil {
				t.Fatal(err)
			}
			swapped := head(place, c.secret).WithValues(func(v store.Version, sealed []byte) []byte {
				if other, swaps := c.versions[int(v.Number)]; swaps {
					return other
				}
				return sealed
			})
			if err := written.PutHead(t.Context(), environments[place], c.secret, swapped); err != nil {
				t.Fatal(err)
			}
			m := start(t, s, clean.Clock)
			for n := 2; n <= 4; n++ {
				q := version(place, c.secret, n)
				value, refused := q.ask(t, m)
				if _, swaps := c.versions[n]; refused != swaps || !swaps && value != q.value {
					t.Errorf("version %d reads %.30q, refused %t", n, value, refused)
				}
			}
			_, newestSwaps := c.versions[4]
			if newestSwaps {
				if got := m.Refuse(read, "load/"+place, nil); got.Status != 500 || got.Word() != "unavailable" {
					t.Errorf("load is answered with %v", got)
				}
			} else if got := m.Read("load/" + place)[c.secret]; got != text(place, c.secret, 4) {
				t.Errorf("load has %.30v", got)
			}
			m.Write("keys/acme/rotate", nil)
			m.Settle()
			rewrap, _ := m.Read("keys/acme")["rewrap"].(data)
			if rewrap["state"] != "failed" || rewrap["failed"] != 1.0 {
				t.Errorf("a rewrap over it says %v", rewrap)
			}
			// Of three workspaces' environments with 11 values each, all but the wrong ones are
			// under the new key.
			if got, want := keyVersions(t, m.Storage)[2], 33-len(c.versions); got != want {
				t.Errorf("%d values are sealed under the new key, want %d", got, want)
			}
			_ = m.Refuse(write, "keys/acme", data{"min_decryption_version": 2})
			end(m)
		})
	}
}
