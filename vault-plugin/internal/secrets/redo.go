package secrets

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/headcache"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// applyParallelism bounds the background's storage calls in flight. It is low because the import that left the work behind is
// being answered at that moment, and nobody waits for the work: with all of parallelism the answer to 1,000 secrets took a
// quarter longer. Who does wait, drains with all of it.
const applyParallelism = 8

// transaction is a committed redo log whose changes are being applied to the secrets' own entries.
type transaction struct {
	id      store.ID
	changes []store.Change
	chunks  int
}

// storeLog puts the chunks of a transaction, the last one alone at the end: it is the commit. When that Put fails, its outcome is
// unknown; the commit is then taken back, and until that has succeeded nothing is written in the environment.
func (s *Service) storeLog(ctx context.Context, a at, txn *transaction, parts []store.LogChunk) error {
	last := len(parts) - 1
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(parallelism)
	for n := range parts[:last] {
		work.Go(func() error { return s.store.PutLogChunk(workCtx, a.EnvironmentID, txn.id, n, &parts[n]) })
	}
	undo := context.WithoutCancel(ctx)
	if err := work.Wait(); err != nil {
		s.dropChunks(undo, a.EnvironmentID, txn)
		return err
	}
	err := s.store.PutLogChunk(ctx, a.EnvironmentID, txn.id, last, &parts[last])
	if err == nil {
		return nil
	}
	a.env.undecided.Store(&undecided{path: a.Path().String(), takeBack: func(ctx context.Context) error {
		if err := s.store.DeleteLogChunk(ctx, a.EnvironmentID, txn.id, last); err != nil {
			return err
		}
		s.dropChunks(ctx, a.EnvironmentID, txn)
		return nil
	}})
	a.env.decide(undo)
	return err
}

// dropChunks removes what was stored of a transaction that has no commit, which means nothing: what is left goes at the next start.
func (s *Service) dropChunks(ctx context.Context, env store.ID, txn *transaction) {
	for n := range txn.chunks - 1 {
		_ = s.store.DeleteLogChunk(ctx, env, txn.id, n)
	}
}

// undecided is an import of which it is not known whether it was stored. Readers may go on: it has not happened yet. Writers may
// not: a start could find it, and replay it over what they have written.
type undecided struct {
	path     string
	takeBack func(context.Context) error
}

// decide takes an import of unknown outcome back, if there is one.
func (e *environment) decide(ctx context.Context) {
	if u := e.undecided.Load(); u != nil && u.takeBack(ctx) == nil {
		e.undecided.CompareAndSwap(u, nil)
	}
}

// unsure answers an error while an import of unknown outcome stands in the way of writes.
func (e *environment) unsure() error {
	if u := e.undecided.Load(); u != nil {
		return fault.New(fault.Unavailable, "whether an import into %s was stored is not known, because storage failed; try again when it is well", u.path)
	}
	return nil
}

// Recheck takes back the imports of which it is not known whether they were stored.
func (s *Service) Recheck(ctx context.Context) {
	s.mu.RLock()
	envs := slices.Collect(maps.Values(s.envs))
	s.mu.RUnlock()
	for _, env := range envs {
		env.decide(ctx)
	}
}

// announce makes a committed transaction visible: all of it at one moment.
func (e *environment) announce(cache *headcache.Cache, id store.ID, txn *transaction, heads map[string]*store.Head) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range txn.changes {
		if applied(heads[c.Name], c) {
			continue // a start replays a log that was applied in part
		}
		s := e.secrets[c.Name]
		if s == nil {
			s = &slot{size: unknownSize}
			e.secrets[c.Name] = s
			e.unmeasured++
		}
		next := apply(heads[c.Name], c)
		e.revision++
		s.revision = e.revision
		s.doubtful, s.pending = false, &pending{next, c, txn}
		e.measure(s, size(c.Name, next))
		cache.Drop(headcache.Key{Environment: id, Name: c.Name})
	}
	e.transactions = append(e.transactions, txn)
}

// waiting answers the change that a redo log still holds for a secret.
func (e *environment) waiting(name string) (store.Change, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if s := e.secrets[name]; s != nil && s.pending != nil {
		return s.pending.change, true
	}
	return store.Change{}, false
}

// waitsFor reports whether what a secret waits for is a change of this transaction. The caller holds the name's lock.
func (e *environment) waitsFor(txn *transaction, name string) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	s := e.secrets[name]
	return s != nil && s.pending != nil && s.pending.txn == txn
}

func (s *Service) startApply(id store.ID, env *environment) {
	s.jobs.Start("apply "+string(id), func(ctx context.Context) {
		// A failure leaves the rest in the log, where Wake and the next import find it.
		_ = s.applyAll(ctx, id, env, applyParallelism)
	})
}

// drain applies what a redo log still holds, before the next one is written.
func (s *Service) drain(ctx context.Context, id store.ID, env *environment) error {
	if !env.hasTransactions() {
		return nil
	}
	return s.applyAll(ctx, id, env, parallelism)
}

// applyAll moves the changes of the environment's transactions into the secrets' own entries, then removes the logs. It may be
// interrupted anywhere, and run beside itself.
func (s *Service) applyAll(ctx context.Context, id store.ID, env *environment, atOnce int) error {
	for {
		txn := env.firstTransaction()
		if txn == nil {
			return nil
		}
		err := s.applies.each(ctx, len(txn.changes), atOnce, func(ctx context.Context, i int) error {
			c := txn.changes[i]
			defer env.locks.Lock(c.Name)()
			if !env.waitsFor(txn, c.Name) {
				return nil // applied already, by a write that came between; what waits now may be of a later import
			}
			return s.applyChange(ctx, id, env, c)
		})
		if err != nil {
			return fmt.Errorf("apply an import: %w", err)
		}
		if err := s.removeLog(ctx, id, txn.id, txn.chunks); err != nil {
			return err
		}
		env.finish(txn)
	}
}

// removeLog removes the commit first: what is left without it never happened.
func (s *Service) removeLog(ctx context.Context, env, txn store.ID, chunks int) error {
	for n := chunks - 1; n >= 0; n-- {
		if err := s.store.DeleteLogChunk(ctx, env, txn, n); err != nil {
			return fmt.Errorf("remove an applied import: %w", err)
		}
	}
	return nil
}

func (e *environment) firstTransaction() *transaction {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if len(e.transactions) == 0 {
		return nil
	}
	return e.transactions[0]
}

func (e *environment) finish(txn *transaction) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.transactions) > 0 && e.transactions[0] == txn {
		e.transactions = e.transactions[1:]
	}
}

// applyChange moves one change into the secret's own entry, unless it is there already. The caller holds the name's lock.
func (s *Service) applyChange(ctx context.Context, id store.ID, env *environment, c store.Change) error {
	if env.gone.Load() {
		return errStopped
	}
	key := headcache.Key{Environment: id, Name: c.Name}
	head, err := s.store.Head(ctx, id, c.Name)
	if err != nil {
		return err
	}
	if head == nil && c.IsDelete {
		return store.ErrDamaged
	}
	if !applied(head, c) {
		if head, err = s.storeChange(ctx, key, head, c); err != nil {
			return err
		}
		head = s.prune(ctx, key, head)
	}
	env.unpin(&s.cache, key, head)
	return nil
}

// unpin lets a secret be read from its own entry again. Nothing changes for a reader, so the revision stays.
func (e *environment) unpin(cache *headcache.Cache, key headcache.Key, head *store.Head) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.secrets[key.Name]; s != nil && s.pending != nil {
		s.pending = nil
		remember(cache, key, head)
	}
}

// replay takes in the redo logs that stand in storage: committed ones become visible before the first read, others are removed.
func (s *Service) replay(ctx context.Context) error {
	logged, err := s.store.LoggedEnvironments(ctx)
	if err != nil {
		return fmt.Errorf("list the imports under way: %w", err)
	}
	for _, id := range logged {
		s.mu.RLock()
		env := s.envs[id]
		s.mu.RUnlock()
		if env == nil {
			continue // deleted; the sweep removes its logs
		}
		if err := s.replayEnvironment(ctx, id, env); errors.Is(err, store.ErrDamaged) {
			why := "a stored import into this environment is damaged; restore it from a snapshot of Vault's storage"
			env.broken.Store(&why)
		} else if err != nil {
			return fmt.Errorf("replay an import: %w", err)
		}
	}
	return nil
}

func (s *Service) replayEnvironment(ctx context.Context, id store.ID, env *environment) error {
	txns, err := s.store.Transactions(ctx, id)
	if err != nil {
		return err
	}
	for _, txn := range txns {
		changes, parts, committed, err := s.store.Transaction(ctx, id, txn)
		if err != nil {
			return err
		}
		if !committed {
			for _, n := range parts {
				if err := s.store.DeleteLogChunk(ctx, id, txn, n); err != nil {
					return err
				}
			}
			continue
		}
		heads := make(map[string]*store.Head, len(changes))
		for _, c := range changes {
			if heads[c.Name], err = s.store.Head(ctx, id, c.Name); err != nil {
				return err
			}
			upon := on(heads[c.Name])
			if upon.head == nil && env.buried(c.Name) {
				tomb, err := s.store.Tombstone(ctx, id, c.Name)
				if err != nil {
					return err
				}
				if tomb != nil {
					upon.last = tomb.Last
				}
			}
			if !fits(upon, c) {
				return store.ErrDamaged
			}
		}
		env.announce(&s.cache, id, &transaction{txn, changes, len(parts)}, heads)
	}
	return nil
}
