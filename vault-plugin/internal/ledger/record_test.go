package ledger

import (
	"testing"
	"time"
)

func FuzzChunk(f *testing.F) {
	good, err := encode(chunk{Entries: map[string]Entry{"A": {Owned: true, Source: "A", Version: 1, Intent: &Intent{Delete: true}, Remote: Remote{Updated: time.Unix(1, 0)}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{0xa1, 0x01, 0xa0})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decode(b)
		if err != nil {
			return
		}
		for name, e := range c.Entries {
			if name == "" || !e.Owned && e.Intent == nil {
				t.Errorf("accepted %q, %+v", name, e)
			}
		}
		again, err := encode(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decode(again); err != nil {
			t.Errorf("an accepted chunk does not decode after encoding: %v", err)
		}
	})
}
