package ledger

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

var errDown = errors.New("storage is down")

// failing is a storage that fails while down is set.
type failing struct {
	logical.Storage
	down bool
}

func (s *failing) Get(ctx context.Context, key string) (*logical.StorageEntry, error) {
	if s.down {
		return nil, errDown
	}
	return s.Storage.Get(ctx, key)
}

// oneRing is a key service with a single keyring.
type oneRing struct{ ring *keyring.Workspace }

func (k oneRing) With(_ context.Context, _ store.ID, use func(*keyring.Workspace) error) error {
	return use(k.ring)
}

// Two callers can share a ledger before it is read. If the read of the first fails, the second must
// read the ledger. An empty ledger would make every entry belong to somebody else.
func TestASharedLedgerIsReadAgainAfterAFailure(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	master, err := keyring.NewMaster(now)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := master.NewWorkspace(keyring.WorkspaceScope{Name: "acme", ID: keyring.ID{1}}, now)
	if err != nil {
		t.Fatal(err)
	}
	storage := &failing{Storage: new(logical.InmemStorage)}
	records, err := store.New(storage)
	if err != nil {
		t.Fatal(err)
	}
	of := Owner{Workspace: store.NewID(), Sync: store.NewID(), Project: "api", Environment: "production", Destination: "shelf", Name: "main"}
	written := &Ledger{s: New(records, oneRing{ring}), owner: of}
	if err := written.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	written.Put("A", Entry{Owned: true, Source: "A"})
	if err := written.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	shared := &Ledger{s: New(records, oneRing{ring}), owner: of}
	storage.down = true
	if err := shared.load(t.Context()); !errors.Is(err, errDown) {
		t.Errorf("while storage is down: %v", err)
	}
	storage.down = false
	if err := shared.load(t.Context()); err != nil || !shared.Entries()["A"].Owned {
		t.Errorf("after that, the ledger has %v, %v", shared.Entries(), err)
	}
}
