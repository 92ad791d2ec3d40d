package syncs

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// definition is what of a sync decides where values are sent, in the form that is sealed. The
// record holds the sealed form beside the fields it repeats. So a record that was moved here from
// another sync does not open, whether that sync has ever run or not.
func (e *entry) definition() []byte {
	r := e.record
	var all []byte
	for _, field := range []string{string(r.Integration), r.Target.Host, r.Target.Path, r.Granularity} {
		all = binary.AppendUvarint(all, uint64(len(field)))
		all = append(all, field...)
	}
	return all
}

// sealDefinition seals the definition of next where it is not that of before. before may be nil;
// else it has been verified.
func (s *Service) sealDefinition(ctx context.Context, before, next *entry) (err error) {
	if before != nil && bytes.Equal(before.definition(), next.definition()) {
		return nil // next is a copy, with what is sealed
	}
	next.record.Definition, err = s.ledgers.SealDefinition(ctx, next.owner(), next.definition())
	return err
}

// verify opens the sealed definition of a sync, and refuses a record that does not hold what was
// sealed for this sync.
func (s *Service) verify(ctx context.Context, e *entry) error {
	opened, err := s.ledgers.OpenDefinition(ctx, e.owner(), e.record.Definition)
	if errors.Is(err, ledger.ErrMoved) || err == nil && !bytes.Equal(opened, e.definition()) {
		return fault.Damaged("the definition of sync %s cannot be opened: the record %s is damaged or was moved here, or a record that leads to it was; "+
			"restore it from a snapshot of Vault's storage, or delete the sync with purge=false and create it again", e.path(), e.stored())
	}
	return err
}

// resealDefinition seals the definition of a sync again under the latest key version.
func (s *Service) resealDefinition(ctx context.Context, id store.ID) error {
	err := s.records.Exclusively(ctx, id, func(e *entry) error {
		record := *e.record
		again, err := s.ledgers.ResealDefinition(ctx, e.owner(), e.record.Definition)
		if record.Definition = again; err != nil || bytes.Equal(again, e.record.Definition) {
			return err
		}
		return s.resealed(ctx, e, &record)
	})
	if fault.Is(err, fault.NotFound) {
		return nil // the sync was deleted meanwhile
	}
	return err
}

// resealed stores a record that differs in nothing but its envelope. A run that is under way ends
// for it, and is done again.
func (s *Service) resealed(ctx context.Context, e *entry, record *store.Sync) error {
	after := s.newEntry(e.location, record)
	if err := s.records.Put(ctx, after, nil, func(ctx context.Context) error { return s.putRecord(ctx, after) }); err != nil {
		return err
	}
	s.mu.RLock()
	st := s.standing[record.ID]
	runs := st != nil && st.phase != ""
	s.mu.RUnlock()
	if runs {
		s.again(after.ID)
	}
	return nil
}
