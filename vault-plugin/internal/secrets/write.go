package secrets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/headcache"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// Written is what a write has made.
type Written struct {
	Version store.Version
	Tags    []string
}

// Write adds a version. It costs at most one storage read and one write, of the head, which is the
// commit; and before it one write for each older value that the head has no room for.
func (s *Service) Write(ctx context.Context, call caller.Request, path workspaces.Path, name string, in Input) (Written, error) {
	a, leave, err := s.write(call, path, false)
	if err != nil {
		return Written{}, err
	}
	defer leave()
	if err := checkInput(a.Place, in); err != nil {
		return Written{}, err
	}
	defer a.env.locks.Lock(name)()
	upon, err := s.current(ctx, a, name)
	if err != nil {
		return Written{}, err
	}
	if replayed(upon.head, call.ID) {
		return written(upon.head), nil
	}
	if err := checkCAS(a.Place, name, upon.head, in.CAS); err != nil {
		return Written{}, err
	}
	return s.add(ctx, call, a, name, upon, in)
}

// replayed reports whether the newest version was made by the same request, sent again.
func replayed(head *store.Head, requestID string) bool {
	return head != nil && requestID != "" && head.Newest().RequestID == requestID
}

// add seals and stores a new version. The caller holds the name's lock.
func (s *Service) add(ctx context.Context, call caller.Request, a at, name string, upon base, in Input) (Written, error) {
	release, err := s.admit(ctx, a, grown(name, upon.head, len(in.Value)))
	if err != nil {
		return Written{}, err
	}
	defer release()
	change := nextVersion(call, a.Place, name, upon, in, s.now())
	if in.refers() {
		if change.Version.Targets, err = s.checkReferences(ctx, call, a, name, in.Value); err != nil {
			return Written{}, err
		}
	}
	if change.Sealed, err = s.seal(ctx, a.Place, change, in.Value); err != nil {
		return Written{}, err
	}
	next, err := s.commit(ctx, a, name, upon.head, change)
	if err != nil {
		return Written{}, err
	}
	return written(next), nil
}

func written(head *store.Head) Written {
	v := head.Newest()
	return Written{Version: v, Tags: head.Tags}
}

// nextVersion describes a new version of a secret, without its value. Times never go back within a history, whatever the clock
// does: version_at relies on it.
func nextVersion(call caller.Request, place workspaces.Place, name string, upon base, in Input, now time.Time) store.Change {
	now = now.UTC()
	if upon.head != nil && upon.head.Newest().Created.After(now) {
		now = upon.head.Newest().Created
	}
	c := store.Change{
		Name: name,
		Version: store.Version{
			Number: upon.last + 1, Created: now, By: call.Actor, RequestID: call.ID,
			Comment: in.Comment, Encoding: in.Encoding, Size: len(in.Value), References: in.refers(),
		},
		Keep: place.Settings.MaxVersions,
	}
	after := place.Settings.DeleteVersionAfter
	if upon.head != nil {
		c.Tags = upon.head.Tags
		if own := upon.head.Settings; own.MaxVersions != 0 {
			c.Keep = own.MaxVersions
		}
		if own := upon.head.Settings.DeleteVersionAfter; own != 0 {
			after = own
		}
	}
	if in.Tags != nil {
		c.Tags = *in.Tags
	}
	if after > 0 {
		c.Version.Deleted = now.Add(after)
	}
	return c
}

func (s *Service) seal(ctx context.Context, place workspaces.Place, c store.Change, value []byte) (sealed []byte, err error) {
	err = s.with(ctx, place, func(seal *keyring.Context[keyring.SecretLocation]) error {
		sealed, err = sealWith(seal, c.Name, c.Version.Number, value)
		return err
	})
	return sealed, err
}

func sealWith(seal *keyring.Context[keyring.SecretLocation], name string, version uint64, value []byte) ([]byte, error) {
	ciphertext, err := seal.Seal(keyring.SecretLocation{Name: name, Version: version}, value)
	if err != nil {
		return nil, err
	}
	return ciphertext.Bytes(), nil
}

// current answers what to write upon. A change that a redo log still holds for this secret is applied first, so that versions
// reach storage in their order; what is left of a removed secret of this name is cleared away. The caller holds the name's lock.
func (s *Service) current(ctx context.Context, a at, name string) (base, error) {
	if change, waits := a.env.waiting(name); waits {
		if err := s.applyChange(ctx, a.EnvironmentID, a.env, change); err != nil {
			return base{}, err
		}
	}
	head, err := s.head(ctx, a, name)
	if err != nil || head != nil {
		return on(head), err
	}
	last, err := s.lastOf(ctx, a, name)
	return base{last: last}, err
}

// commit stores a change to one secret and makes it visible. The caller holds the name's lock.
func (s *Service) commit(ctx context.Context, a at, name string, head *store.Head, c store.Change) (*store.Head, error) {
	key := a.key(name)
	next, err := s.storeChange(ctx, key, head, c)
	if err == nil && len(next.Doomed) > 0 {
		next = s.prune(ctx, key, next)
	}
	if next, err = s.settled(a, key, next, err); err == nil && next.Floor < next.Versions[0].Number {
		s.startRemoving(a, name)
	}
	return next, err
}

// replace stores a head that was changed in its metadata, and makes it visible. The caller holds the name's lock.
func (s *Service) replace(ctx context.Context, a at, name string, next *store.Head) (*store.Head, error) {
	key := a.key(name)
	next, err := s.putHead(ctx, key, next)
	if err == nil {
		next = s.pruneDestroyed(ctx, key, next)
	}
	return s.settled(a, key, next, err)
}

// pruneDestroyed is prune for a head that may name destroyed versions. Once their values are gone the stored head says so, so
// that no cold read goes after them again.
func (s *Service) pruneDestroyed(ctx context.Context, key headcache.Key, head *store.Head) *store.Head {
	pruned := s.prune(ctx, key, head)
	if len(head.Doomed) == 0 || len(pruned.Doomed) > 0 {
		return pruned
	}
	if stored, err := s.putHead(ctx, key, pruned); err == nil {
		return stored
	}
	return head
}

// settled makes what was stored visible. When storing it failed, the outcome is unknown and the next reader looks in storage.
func (s *Service) settled(a at, key headcache.Key, next *store.Head, err error) (*store.Head, error) {
	if errors.Is(err, store.ErrTooLarge) {
		s.cache.Drop(key) // what it says of NeverSpilled may hold no longer
		return nil, fault.New(fault.Limit, "secret %s of %s with its comments and custom_metadata does not fit into one storage entry; shorten them, or lower max_versions", key.Name, a.Path())
	}
	defer s.changed(a.Place)
	if err != nil {
		a.env.settle(&s.cache, key, nil)
		return nil, fmt.Errorf("store a secret: %w", err)
	}
	a.env.settle(&s.cache, key, next)
	return next, nil
}

// storeChange stores the head that a change makes. The values that are kept no longer are left to
// the caller. It may be repeated after a crash at any point.
func (s *Service) storeChange(ctx context.Context, key headcache.Key, head *store.Head, c store.Change) (*store.Head, error) {
	return s.putHead(ctx, key, apply(head, c))
}

// leftover lists the versions that may have a value under ver/ though it is destroyed or kept no
// longer.
func leftover(head *store.Head) []uint64 {
	return append(slices.Clone(head.Doomed), pushedOut(head)...)
}

// pushedOut lists the versions that are kept no longer and may have a value under ver/.
func pushedOut(head *store.Head) []uint64 {
	var all []uint64
	for n := head.Floor; n < head.Versions[0].Number; n++ {
		all = append(all, n)
	}
	return all
}

// prune removes the values of versions that are destroyed or kept no longer. What could not be removed is tried again by the
// next write or the next cold read: the stored Floor and Doomed tell what may be left.
func (s *Service) prune(ctx context.Context, key headcache.Key, head *store.Head) *store.Head {
	doomed := leftover(head)
	if len(doomed) == 0 || s.removeValues(ctx, key, doomed) != nil {
		return head
	}
	pruned := *head
	pruned.Floor, pruned.Doomed = max(head.Floor, head.Versions[0].Number), nil
	return &pruned
}

// startPruning removes in the background what is left of destroyed versions. Where that fails, the head is not kept in memory, so
// that the next reader meets it in storage and tries again. The head is read past the cache and past head, which would start this
// again and again.
func (s *Service) startPruning(a at, name string) {
	s.jobs.Start("prune "+string(a.EnvironmentID)+"/"+name, func(ctx context.Context) {
		a.env.commit.RLock()
		defer a.env.commit.RUnlock()
		defer a.env.locks.Lock(name)()
		if _, waits := a.env.waiting(name); waits || a.env.gone.Load() {
			return // applying the change that waits removes them too
		}
		key := a.key(name)
		head, err := s.store.Head(ctx, key.Environment, name)
		switch {
		case err != nil:
			s.cache.Drop(key)
		case head == nil, head.Dying, len(head.Doomed) == 0:
		default:
			a.env.settle(&s.cache, key, s.pruneDestroyed(ctx, key, head))
		}
	})
}

// startRemoving removes in the background the values that a write has pushed out: no writer waits for it, and no lock is held, for a
// version that is kept no longer never comes back. What is not removed is tried again after the next write.
func (s *Service) startRemoving(a at, name string) {
	s.jobs.Start("remove "+string(a.EnvironmentID)+"/"+name, func(ctx context.Context) {
		key := a.key(name)
		head := a.env.stored(&s.cache, key)
		if head == nil { // it has left memory
			var err error
			if head, err = s.store.Head(ctx, key.Environment, name); err != nil || head == nil || head.Dying {
				return
			}
		}
		if a.env.gone.Load() || s.removeValues(ctx, key, pushedOut(head)) != nil {
			return
		}
		a.env.raiseFloor(&s.cache, key, head.Versions[0].Number)
	})
}

func (s *Service) removeValues(ctx context.Context, key headcache.Key, versions []uint64) error {
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(parallelism)
	for _, n := range versions {
		work.Go(func() error { return s.store.DeleteOldValue(workCtx, key.Environment, key.Name, n) })
	}
	return work.Wait()
}

// admit reserves room in the environment, measuring it first where that is needed to tell.
func (s *Service) admit(ctx context.Context, a at, g growth) (release func(), err error) {
	release, known, err := a.env.admit(a.Path().String(), g, a.Settings)
	if err != nil || known {
		return release, err
	}
	if _, err := s.snapshot(ctx, a); err != nil {
		return nil, err
	}
	release, known, err = a.env.admit(a.Path().String(), g, a.Settings)
	if err == nil && !known {
		err = fault.Damaged("the size of environment %s is unknown, because an entry in it is damaged; metadata/%s names it", a.Path(), a.Path())
	}
	return release, err
}

func grown(name string, head *store.Head, value int) growth {
	if head == nil {
		return growth{secrets: 1, bytes: len(name) + value}
	}
	return growth{bytes: len(name) + value - size(name, head)}
}

var errStopped = errors.New("the environment is gone")

// base is what a new version is written upon: the head, or for a secret that does not exist the number its versions reached
// before it was removed.
type base struct {
	head *store.Head
	last uint64
}

func on(head *store.Head) base {
	if head == nil {
		return base{}
	}
	return base{head, head.Newest().Number}
}

// apply returns what a change makes of a head, which is nil for a secret that does not exist. It is
// the same whether a change comes from a request or from a redo log. All older values of the result
// that head held are inline: putHead spills them.
func apply(head *store.Head, c store.Change) *store.Head {
	if head == nil {
		first := c.Version.Number
		return &store.Head{
			Sealed: c.Sealed, Tags: c.Tags, Versions: []store.Version{c.Version}, Floor: first, First: first, NeverSpilled: first,
		}
	}
	next := *head
	if c.IsDelete {
		next.Versions = slices.Clone(head.Versions)
		next.Versions[len(next.Versions)-1] = c.Version
		return &next
	}
	next.Tags = c.Tags
	next.Versions = append(slices.Clone(head.Versions), c.Version)
	addNewest(&next, head, c.Sealed)
	cut(&next, c.Keep)
	return &next
}

// applied reports whether head already has what the change brings.
func applied(head *store.Head, c store.Change) bool {
	if head == nil {
		return false
	}
	newest := head.Newest()
	if c.IsDelete {
		return newest.Number > c.Version.Number || newest.DeletedID == c.Version.DeletedID && newest.Deleted.Equal(c.Version.Deleted)
	}
	return newest.Number >= c.Version.Number
}

// fits reports whether a change of a redo log goes with what is stored: it is the next version, a deletion of the newest one, or
// applied already. Any other would leave a gap between the versions, which no reader expects.
func fits(upon base, c store.Change) bool {
	switch {
	case applied(upon.head, c):
		return true
	case c.IsDelete:
		return upon.head != nil && upon.last == c.Version.Number
	default:
		return upon.last+1 == c.Version.Number
	}
}

// mark answers a head in which change was made to the metadata of some versions. Numbers that are not kept are passed over.
func mark(head *store.Head, versions []uint64, change func(*store.Version)) *store.Head {
	next := *head
	next.Versions = slices.Clone(head.Versions)
	for i := range next.Versions {
		if slices.Contains(versions, next.Versions[i].Number) {
			change(&next.Versions[i])
		}
	}
	return &next
}
