package store

import (
	"context"
	"errors"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

// leaving is storage that cancels the caller's context during a write.
type leaving struct {
	logical.InmemStorage
	leave context.CancelFunc
}

func (l *leaving) Put(ctx context.Context, entry *logical.StorageEntry) error {
	l.leave()
	return errors.Join(ctx.Err(), l.InmemStorage.Put(context.Background(), entry))
}

// A cancelled Put could reach storage after its lock was released, and so after a later,
// acknowledged Put, which was then lost. A write that has begun must be completed, and a write that
// has not begun must not begin.
func TestAWriteCompletesAlthoughItsCallerWasCancelled(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	s, err := New(&leaving{leave: leave})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutOldValue(ctx, "env", "A", 1, &OldValue{Sealed: []byte("one")}); err != nil {
		t.Errorf("a write whose caller was cancelled: %v", err)
	}
	for what, err := range map[string]error{
		"put":    s.PutOldValue(ctx, "env", "A", 1, &OldValue{Sealed: []byte("two")}),
		"delete": s.DeleteOldValue(ctx, "env", "A", 1),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a %s for a cancelled caller: %v", what, err)
		}
	}
	if old, err := s.OldValue(t.Context(), "env", "A", 1); err != nil || old == nil || string(old.Sealed) != "one" {
		t.Errorf("storage has %v, %v", old, err)
	}
}
