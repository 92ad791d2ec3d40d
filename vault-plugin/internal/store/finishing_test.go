package store

import (
	"context"
	"errors"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

// leaving is storage whose caller goes away in the midst of a write.
type leaving struct {
	logical.InmemStorage
	leave context.CancelFunc
}

func (l *leaving) Put(ctx context.Context, entry *logical.StorageEntry) error {
	l.leave()
	return errors.Join(ctx.Err(), l.InmemStorage.Put(context.Background(), entry))
}

// TestAWriteIsWaitedForWhenItsCallerHasGone: a client that disconnected cancelled the Put it had under way; the engine released the
// secret's lock, and the Put could still reach storage after a later, acknowledged one, which was lost. A write that has begun must
// be waited for, and one that has not must not begin.
func TestAWriteIsWaitedForWhenItsCallerHasGone(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	s, err := New(&leaving{leave: leave})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutOldValue(ctx, "env", "A", 1, &OldValue{Sealed: []byte("one")}); err != nil {
		t.Errorf("a write whose caller went away: %v", err)
	}
	for what, err := range map[string]error{
		"put":    s.PutOldValue(ctx, "env", "A", 1, &OldValue{Sealed: []byte("two")}),
		"delete": s.DeleteOldValue(ctx, "env", "A", 1),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a %s for a caller who has gone: %v", what, err)
		}
	}
	if old, err := s.OldValue(t.Context(), "env", "A", 1); err != nil || old == nil || string(old.Sealed) != "one" {
		t.Errorf("storage has %v, %v", old, err)
	}
}
