package integrations

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// client is an integration's way out, with its connections and what it knows of the other side's limits. It is kept until the
// settings it was made for change.
type client struct {
	*outbound.Client
	made *entry
}

func (s *Service) client(e *entry) (*outbound.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.records.ByID(e.ID) == nil {
		return nil, &outbound.Error{Class: outbound.Network, Provider: e.provider(), Operation: "use the credential", Hint: "the integration was deleted, or the mount is being unloaded", Cause: ErrGone}
	}
	if c := s.clients[e.record.ID]; c != nil && sameWay(c.made, e) {
		return c.Client, nil
	}
	condition, _ := s.Tree.Condition(e.Workspace)
	made, err := s.Gateway.Client(e.declaration.Party(condition.Name, e.settings))
	if err != nil {
		return nil, err
	}
	if old := s.clients[e.record.ID]; old != nil {
		old.Close()
	}
	s.clients[e.record.ID] = &client{made, e}
	return made, nil
}

// sameWay reports whether two states of an integration may share a client.
func sameWay(a, b *entry) bool {
	return a.record.Auth == b.record.Auth && reflect.DeepEqual(a.settings, b.settings)
}

func (s *Service) dropClient(id store.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.clients[id]; c != nil {
		c.Close()
		delete(s.clients, id)
	}
}

// noted is how an integration was last used, since that was last stored.
type noted struct {
	store.Usage
	expires *time.Time // of the credential, where the provider has told
}

// usageEvery is how often the moment of the last use is stored, at the most: every use would else cost a write.
const usageEvery = time.Hour

// note keeps how a use went.
func (s *Service) note(e *entry, err error) {
	if errors.Is(err, context.Canceled) {
		return // it was ended by us
	}
	now := s.now()
	usage := store.Usage{At: now}
	if err != nil {
		usage.Error = &store.Mishap{At: now, Class: string(outbound.ClassOf(err)), Text: "the engine itself has failed"}
		var known *outbound.Error
		if errors.As(err, &known) {
			usage.Error.Text = known.Error()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records.ByID(e.ID) != nil {
		s.usage[e.record.ID] = noted{usage, s.usage[e.record.ID].expires}
	}
}

func (s *Service) usedOf(record *store.Integration) (store.Usage, time.Time) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n, used := s.usage[record.ID]
	switch {
	case used && n.expires != nil:
		return n.Usage, *n.expires
	case used:
		return n.Usage, record.Credential.Expires
	}
	return record.Used, record.Credential.Expires
}

// storeUsage stores how integrations were used: an error, or its end, within a minute, else the moment once an hour.
func (s *Service) storeUsage(ctx context.Context) {
	s.mu.RLock()
	var due []store.ID
	for id, n := range s.usage {
		if has := s.records.ByID(id).record; n.expires != nil || (n.Error == nil) != (has.Used.Error == nil) || n.At.Sub(has.Used.At) >= usageEvery {
			due = append(due, id)
		}
	}
	s.mu.RUnlock()
	for _, id := range due {
		_ = s.records.Exclusively(ctx, id, func(e *entry) error { return s.putUsage(ctx, e) }) // else in a minute
	}
}

// putUsage stores the record with how it was last used. The caller holds the workspace's change lock.
func (s *Service) putUsage(ctx context.Context, e *entry) error {
	s.mu.RLock()
	n, used := s.usage[e.ID]
	s.mu.RUnlock()
	if !used {
		return nil
	}
	record := *e.record
	record.Used = n.Usage
	if n.expires != nil {
		record.Credential.Expires = *n.expires
	}
	if err := s.putRecord(ctx, e, &record); err != nil {
		return err // whether it was stored makes no difference but to a moment
	}
	s.records.Take(s.newEntry(e.Member, &record, e.sealed))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.usage[record.ID] == n {
		delete(s.usage, record.ID)
	}
	return nil
}
