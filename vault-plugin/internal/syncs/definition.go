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

// definition encodes the fields that decide where values are sent. The record holds both the fields
// and the sealed encoding. A record that was moved from another sync therefore does not open, even
// if that sync has never run.
func (e *syncDef) definition() []byte {
	r := e.record
	var all []byte
	for _, field := range []string{string(r.Integration), r.Target.Host, r.Target.Path, r.Granularity} {
		all = binary.AppendUvarint(all, uint64(len(field)))
		all = append(all, field...)
	}
	return all
}

// sealDefinition seals the definition of next if it differs from that of before. before must be
// verified, or nil.
func (s *Service) sealDefinition(ctx context.Context, before, next *syncDef) (err error) {
	if before != nil && bytes.Equal(before.definition(), next.definition()) {
		return nil // next is a copy and has the sealed definition
	}
	next.record.Definition, err = s.ledgers.SealDefinition(ctx, next.owner(), next.definition())
	return err
}

// verify opens the sealed definition of a sync. It fails if the fields of the record differ from
// the definition that was sealed for this sync.
func (s *Service) verify(ctx context.Context, e *syncDef) error {
	opened, err := s.ledgers.OpenDefinition(ctx, e.owner(), e.record.Definition)
	if errors.Is(err, ledger.ErrMoved) || err == nil && !bytes.Equal(opened, e.definition()) {
		return fault.Damaged("the definition of sync %s cannot be opened: the record %s, or the record of its environment, project or workspace, is damaged or was moved; "+
			"restore it from a snapshot of Vault's storage, or delete the sync with purge=false and create it again", e.path(), e.stored())
	}
	return err
}

// resealDefinition reseals the definition of a sync under the latest key version.
func (s *Service) resealDefinition(ctx context.Context, id store.ID) error {
	err := s.records.Exclusively(ctx, id, func(e *syncDef) error {
		record := *e.record
		resealed, err := s.ledgers.ResealDefinition(ctx, e.owner(), e.record.Definition)
		if record.Definition = resealed; err != nil || bytes.Equal(resealed, e.record.Definition) {
			return err
		}
		return s.putResealed(ctx, e, &record)
	})
	if fault.Is(err, fault.NotFound) {
		return nil // the sync was deleted meanwhile
	}
	return err
}

// putResealed stores a record in which only the sealed definition has changed. This supersedes a
// run that is under way, so putResealed schedules another run.
func (s *Service) putResealed(ctx context.Context, e *syncDef, record *store.Sync) error {
	after := s.newDef(e.location, record)
	if err := s.records.Put(ctx, after, nil, func(ctx context.Context) error { return s.putRecord(ctx, after) }); err != nil {
		return err
	}
	s.mu.RLock()
	st := s.runStates[record.ID]
	runs := st != nil && st.phase != ""
	s.mu.RUnlock()
	if runs {
		s.retryNow(after.ID)
	}
	return nil
}
