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

// applyParallelism bounds the storage calls in flight of a background apply. It is low because the
// response to the import is sent at the same time, and nothing waits for the apply. With the full
// parallelism, the response to an import of 1,000 secrets took a quarter longer. A request that has
// to wait for the apply uses the full parallelism in drain.
const applyParallelism = 8

// transaction is a committed redo log whose changes are being applied to the entries of the
// secrets.
type transaction struct {
	id      store.ID
	changes []store.Change
	chunks  int
}

// storeLog stores the chunks of a transaction. The last chunk is stored after all others: it is the
// commit. If its Put fails, the outcome is unknown, and storeLog undoes the commit. Until the undo
// has succeeded, nothing else is written in the environment.
func (s *Service) storeLog(ctx context.Context, loc located, txn *transaction, parts []store.LogChunk) error {
	last := len(parts) - 1
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(parallelism)
	for n := range parts[:last] {
		work.Go(func() error { return s.store.PutLogChunk(workCtx, loc.EnvironmentID, txn.id, n, &parts[n]) })
	}
	undo := context.WithoutCancel(ctx)
	if err := work.Wait(); err != nil {
		s.dropChunks(undo, loc.EnvironmentID, txn)
		return err
	}
	err := s.store.PutLogChunk(ctx, loc.EnvironmentID, txn.id, last, &parts[last])
	if err == nil {
		return nil
	}
	loc.env.pendingImport.Store(&pendingImport{path: loc.Path().String(), undo: func(ctx context.Context) error {
		if err := s.store.DeleteLogChunk(ctx, loc.EnvironmentID, txn.id, last); err != nil {
			return err
		}
		s.dropChunks(ctx, loc.EnvironmentID, txn)
		return nil
	}})
	loc.env.undoPendingImport(undo)
	return err
}

// dropChunks removes the chunks of a transaction without a commit. Such chunks have no effect. The
// next start removes those that remain.
func (s *Service) dropChunks(ctx context.Context, env store.ID, txn *transaction) {
	for n := range txn.chunks - 1 {
		_ = s.store.DeleteLogChunk(ctx, env, txn.id, n)
	}
}

// pendingImport is an import whose outcome is unknown because its storage call failed. Readers
// continue: to them, the import has not happened. Writers must wait, because the next start could
// find the import and replay it over their changes.
type pendingImport struct {
	path string
	undo func(context.Context) error
}

// undoPendingImport undoes the import of unknown outcome, if there is one.
func (e *environment) undoPendingImport(ctx context.Context) {
	if u := e.pendingImport.Load(); u != nil && u.undo(ctx) == nil {
		e.pendingImport.CompareAndSwap(u, nil)
	}
}

// checkPendingImport fails if an import of unknown outcome blocks writes.
func (e *environment) checkPendingImport() error {
	if u := e.pendingImport.Load(); u != nil {
		return fault.New(fault.Unavailable, "cannot tell whether an import into %s was stored: storage failed; retry when storage is healthy", u.path)
	}
	return nil
}

// Recheck undoes the imports whose outcome is unknown.
func (s *Service) Recheck(ctx context.Context) {
	s.mu.RLock()
	envs := slices.Collect(maps.Values(s.envs))
	s.mu.RUnlock()
	for _, env := range envs {
		env.undoPendingImport(ctx)
	}
}

// publishTransaction makes all changes of a committed transaction visible at one moment.
func (e *environment) publishTransaction(cache *headcache.Cache, id store.ID, txn *transaction, heads map[string]*store.Head) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range txn.changes {
		if applied(heads[c.Name], c) {
			continue // after a start, the log may have been applied in part
		}
		s := e.secrets[c.Name]
		if s == nil {
			s = &slot{unmeasured: true}
			e.secrets[c.Name] = s
			e.unmeasured++
		}
		next := apply(heads[c.Name], c)
		e.revision++
		s.revision = e.revision
		s.maybeStored, s.unapplied = false, &unapplied{next, c, txn}
		e.measure(s, weigh(c.Name, next))
		cache.Drop(headcache.Key{Environment: id, Name: c.Name})
	}
	e.transactions = append(e.transactions, txn)
}

// unappliedChange returns the change of a secret that is in a redo log but not yet applied.
func (e *environment) unappliedChange(name string) (store.Change, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if s := e.secrets[name]; s != nil && s.unapplied != nil {
		return s.unapplied.change, true
	}
	return store.Change{}, false
}

// hasUnapplied reports whether the unapplied change of a secret is a change of this transaction.
// The caller holds the lock of the name.
func (e *environment) hasUnapplied(txn *transaction, name string) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	s := e.secrets[name]
	return s != nil && s.unapplied != nil && s.unapplied.txn == txn
}

func (s *Service) startApply(id store.ID, env *environment) {
	s.jobs.Start("apply "+string(id), func(ctx context.Context) {
		// After a failure, the remaining changes stay in the log. Start and the next import apply
		// them.
		_ = s.applyAll(ctx, id, env, applyParallelism)
	})
}

// drain applies the redo logs of the environment and removes them. It must succeed before the next
// log is written.
func (s *Service) drain(ctx context.Context, id store.ID, env *environment) error {
	if !env.hasTransactions() {
		return nil
	}
	return s.applyAll(ctx, id, env, parallelism)
}

// applyAll applies the changes of the environment's transactions to the entries of the secrets,
// then removes the logs. It may be interrupted at any point, and it may run more than once at the
// same time.
func (s *Service) applyAll(ctx context.Context, id store.ID, env *environment, atOnce int) error {
	for {
		txn := env.firstTransaction()
		if txn == nil {
			return nil
		}
		err := s.applies.Each(ctx, len(txn.changes), atOnce, func(ctx context.Context, i int) error {
			c := txn.changes[i]
			defer env.locks.Lock(c.Name)()
			if !env.hasUnapplied(txn, c.Name) {
				// A write in between has applied it. Any unapplied change is of a later import.
				return nil
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

// removeLog removes the commit first. Without it, the remaining chunks have no effect.
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

// applyChange applies one change to the entry of the secret, unless it is applied already. The
// caller holds the lock of the name.
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
	env.setApplied(&s.cache, key, head)
	return nil
}

// setApplied makes readers use the stored head of a secret again. It has the same content as the
// unapplied head, so the revision stays the same.
func (e *environment) setApplied(cache *headcache.Cache, key headcache.Key, head *store.Head) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.secrets[key.Name]; s != nil && s.unapplied != nil {
		s.unapplied = nil
		cacheStored(cache, key, head)
	}
}

// replay reads the redo logs in storage. It makes the changes of committed logs visible before the
// first read, and removes the other logs.
func (s *Service) replay(ctx context.Context) error {
	logged, err := s.store.LoggedEnvironments(ctx)
	if err != nil {
		return fmt.Errorf("list the redo logs: %w", err)
	}
	for _, id := range logged {
		s.mu.RLock()
		env := s.envs[id]
		s.mu.RUnlock()
		if env == nil {
			continue // a deleted environment; the sweep removes its logs
		}
		if err := s.replayEnvironment(ctx, id, env); errors.Is(err, store.ErrDamaged) {
			why := fmt.Sprintf("a stored import into this environment, under log/%s, is damaged or was moved here; restore it, or the secret that it changes, from a snapshot of Vault's storage", id)
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
			prev := previousOf(heads[c.Name])
			if prev.head == nil && env.hasTombstone(c.Name) {
				tomb, err := s.store.Tombstone(ctx, id, c.Name)
				if err != nil {
					return err
				}
				if tomb != nil {
					prev.last = tomb.Last
				}
			}
			if !canApply(prev, c) {
				return store.ErrDamaged
			}
		}
		env.publishTransaction(&s.cache, id, &transaction{txn, changes, len(parts)}, heads)
	}
	return nil
}
