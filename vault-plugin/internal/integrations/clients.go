package integrations

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// client is the HTTP client of an integration. It holds the connections and the known rate limits
// of the service. It is kept until the settings it was made for change.
type client struct {
	*outbound.Client
	madeFor *entry
}

// client returns the HTTP client of an integration. It fails if the integration was deleted or the
// service was stopped.
func (s *Service) client(e *entry) (*outbound.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.records.ByID(e.ID) == nil {
		return nil, &outbound.Error{Class: outbound.Network, Provider: e.provider(), Operation: "use the credential", Hint: "the integration was deleted, or the mount is being unloaded", Cause: ErrGone}
	}
	if c := s.clients[e.record.ID]; c != nil && sameClient(c.madeFor, e) {
		return c.Client, nil
	}
	condition, _ := s.Tree.Condition(e.Workspace)
	created, err := s.Gateway.Client(e.declaration.Party(condition.Name, e.settings))
	if err != nil {
		return nil, err
	}
	if old := s.clients[e.record.ID]; old != nil {
		old.Close()
	}
	s.clients[e.record.ID] = &client{created, e}
	return created, nil
}

// sameClient reports whether two states of an integration may share a client.
func sameClient(a, b *entry) bool {
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

// unsavedUsage is the last use of an integration that its stored record does not have yet.
type unsavedUsage struct {
	store.Usage
	expires *time.Time // of the credential; nil if the provider has reported no new time
}

// usageEvery is the least time between two writes of the last use's time. It saves a write for each
// use.
const usageEvery = time.Hour

// recordUse keeps the outcome of a use in memory. storeUsage stores it later.
func (s *Service) recordUse(e *entry, err error) {
	if errors.Is(err, context.Canceled) {
		return // the engine ended the use, or its caller did
	}
	now := s.now()
	usage := store.Usage{At: now}
	if err != nil {
		usage.Error = &store.Mishap{At: now, Class: string(outbound.ClassOf(err)), Text: "internal error of the engine"}
		var known *outbound.Error
		if errors.As(err, &known) {
			usage.Error.Text = known.Error()
		}
	}
	s.mu.Lock()
	current := s.records.ByID(e.ID)
	if current == nil {
		s.mu.Unlock()
		return
	}
	before, _ := s.lastUse(current.record)
	s.usage[e.ID] = unsavedUsage{usage, s.usage[e.ID].expires}
	s.mu.Unlock()
	s.record(current, current.condition(before), current.condition(usage))
}

// usageOf returns the last use of an integration and the time when its credential expires.
func (s *Service) usageOf(record *store.Integration) (store.Usage, time.Time) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.lastUse(record)
}

// lastUse is usageOf for a caller that holds the lock.
func (s *Service) lastUse(record *store.Integration) (store.Usage, time.Time) {
	n, used := s.usage[record.ID]
	switch {
	case used && n.expires != nil:
		return n.Usage, *n.expires
	case used:
		return n.Usage, record.Credential.Expires
	}
	return record.Used, record.Credential.Expires
}

// storeUsage stores the last uses of integrations. It stores a first error, a first success after
// an error, and a new expiry time at once. It stores the time of other uses at most once in
// usageEvery.
func (s *Service) storeUsage(ctx context.Context) {
	s.mu.RLock()
	var due []store.ID
	for id, n := range s.usage {
		if stored := s.records.ByID(id).record; n.expires != nil || (n.Error == nil) != (stored.Used.Error == nil) || n.At.Sub(stored.Used.At) >= usageEvery {
			due = append(due, id)
		}
	}
	s.mu.RUnlock()
	for _, id := range due {
		// After a failure, the next Wake retries.
		_ = s.records.Exclusively(ctx, id, func(e *entry) error { return s.putUsage(ctx, e) })
	}
}

// putUsage stores the record of an integration with its last use. The caller holds the workspace's
// change lock.
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
		return err // no recheck is needed: at worst, storage has a newer last use than memory
	}
	s.records.Take(s.newEntry(e.Member, &record, e.sealed))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.usage[record.ID] == n {
		delete(s.usage, record.ID)
	}
	return nil
}
