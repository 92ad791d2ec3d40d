package crashtest

import (
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// TestMisplacedValueIsNotDelivered exchanges envelopes within heads and leaves the metadata
// unchanged. Exactly the versions with a wrong envelope must be refused.
func TestMisplacedValueIsNotDelivered(t *testing.T) {
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
		{"an inline value as the newest value", "A", map[int][]byte{4: inline(place, "A", 3)}},
		{"the newest value as an inline value", "A", map[int][]byte{3: inline(place, "A", 4)}},
		{"two inline values swapped", "A", map[int][]byte{2: inline(place, "A", 3), 3: inline(place, "A", 2)}},
		{"an inline value of another secret", "A", map[int][]byte{3: inline(place, "C", 3)}},
		{"an inline value of another environment", "A", map[int][]byte{3: inline("acme/api/prod", "A", 3)}},
		{"an inline value of another workspace", "A", map[int][]byte{3: inline("other/api/dev", "A", 3)}},
		{"a spilled value as an inline value", "C", map[int][]byte{3: spilled.Sealed}},
		{"a cut inline value", "A", map[int][]byte{3: inline(place, "A", 3)[:20]}},
		{"a missing inline value", "A", map[int][]byte{3: nil}},
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
					t.Errorf("version %d is %.30q, refused %t", n, value, refused)
				}
			}
			_, newestSwaps := c.versions[4]
			if newestSwaps {
				if got := m.Refuse(read, "load/"+place, nil); got.Status != 500 || got.Word() != "unavailable" {
					t.Errorf("load returned %v, want 500 unavailable", got)
				}
			} else if got := m.Read("load/" + place)[c.secret]; got != text(place, c.secret, 4) {
				t.Errorf("load returned %.30v", got)
			}
			m.Write("keys/acme/rotate", nil)
			m.Settle()
			rewrap, _ := m.Read("keys/acme")["rewrap"].(data)
			if rewrap["state"] != "failed" || rewrap["failed"] != 1.0 {
				t.Errorf("a rewrap of the secret ended with %v", rewrap)
			}
			// The three environments of acme have 11 values each. All but the wrong ones must be
			// under the new key.
			if got, want := keyVersions(t, m.Storage)[2], 33-len(c.versions); got != want {
				t.Errorf("%d values are sealed under the new key, want %d", got, want)
			}
			_ = m.Refuse(write, "keys/acme", data{"min_decryption_version": 2})
			end(m)
		})
	}
}
