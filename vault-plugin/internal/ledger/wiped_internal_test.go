package ledger

import (
	"errors"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/keyring"
)

// wipedRing returns a sealed chunk and a digest with keys that are wiped by the time they are used.
func wipedRing(t *testing.T) (*keyring.Context[keyring.SyncLocation], *keyring.MAC[keyring.FingerprintLocation], []byte, Print) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	master, err := keyring.NewMaster(now)
	must(err)
	ring, err := master.NewWorkspace(keyring.WorkspaceScope{Name: "acme", ID: keyring.ID{1}}, now)
	must(err)
	scope := keyring.SyncScope{Project: "api", Environment: "production", Destination: "shelf", Name: "main", ID: keyring.ID{2}}
	seal, err := ring.SyncMetadata(scope)
	must(err)
	mac, err := ring.Fingerprints(scope)
	must(err)
	text, err := encode(chunk{Entries: map[string]Entry{"A": {Owned: true, Source: "A"}}})
	must(err)
	sealed, err := seal.Seal(location(0), text)
	must(err)
	digest, err := sum(mac, "A", []byte("1"))
	must(err)
	if c, version, err := openChunk(seal, 0, sealed.Bytes()); err != nil || version != 1 || !c.Entries["A"].Owned {
		t.Fatalf("before the wipe: %v, %d, %v", c, version, err)
	}
	if same, err := verify(mac, "A", []byte("1"), digest); err != nil || !same {
		t.Fatalf("before the wipe: %t, %v", same, err)
	}
	ring.Wipe()
	return seal, mac, sealed.Bytes(), digest
}

// The cache may wipe a keyring while it is in use. Then nothing is known of a chunk, a digest or a
// definition. To take it for damaged or for another value would block the sync, or write all
// entries again.
func TestWipedKeysAreNeitherDamageNorAnotherValue(t *testing.T) {
	seal, mac, sealed, digest := wipedRing(t)
	if _, _, err := openChunk(seal, 0, sealed); !errors.Is(err, keyring.ErrWiped) || errors.Is(err, ErrDamaged) {
		t.Errorf("a chunk: %v", err)
	}
	if same, err := verify(mac, "A", []byte("1"), digest); !errors.Is(err, keyring.ErrWiped) || same {
		t.Errorf("a print: %t, %v", same, err)
	}
	if _, err := sum(mac, "A", []byte("1")); !errors.Is(err, keyring.ErrWiped) {
		t.Errorf("a new print: %v", err)
	}
	old := Entry{Owned: true, Print: digest}
	if e, _, err := refresh(mac, "A", old, map[string][]byte{"A": []byte("1")}, digest.KeyVersion+1); !errors.Is(err, keyring.ErrWiped) || e.Print != digest {
		t.Errorf("a refresh: %+v, %v", e, err)
	}
	if err := moved(keyring.ErrWiped); !errors.Is(err, keyring.ErrWiped) || errors.Is(err, ErrMoved) {
		t.Errorf("a definition: %v", err)
	}
	if err := moved(keyring.ErrOpen); !errors.Is(err, ErrMoved) {
		t.Errorf("a definition that does not open: %v", err)
	}
}
