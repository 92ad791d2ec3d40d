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

// Written is the result of a write.
type Written struct {
	Version store.Version
	Tags    []string
}

// Write adds a version. It costs at most one storage read and one Put, of the head, which is the
// commit. Each older value that the head has no room for costs one more Put before it.
func (s *Service) Write(ctx context.Context, call caller.Request, path workspaces.Path, name string, in Input) (Written, error) {
	loc, unlock, err := s.lockEnvironment(call, path, false)
	if err != nil {
		return Written{}, err
	}
	defer unlock()
	if err := checkInput(loc.Place, in); err != nil {
		return Written{}, err
	}
	defer loc.env.locks.Lock(name)()
	prev, err := s.current(ctx, loc, name)
	if err != nil {
		return Written{}, err
	}
	if replayed(prev.head, call.ID) {
		return written(prev.head), nil
	}
	if prev.head != nil && call.Creates {
		return Written{}, caller.Exists("secret " + name + " of " + loc.Path().String())
	}
	if err := checkCAS(loc.Place, name, prev.head, in.CAS); err != nil {
		return Written{}, err
	}
	return s.add(ctx, call, loc, name, prev, in.after(prev.head))
}

// replayed reports whether the newest version was made by the same request, which was sent again.
func replayed(head *store.Head, requestID string) bool {
	return head != nil && requestID != "" && head.Newest().RequestID == requestID
}

// add seals and stores a new version. The caller holds the lock of the name.
func (s *Service) add(ctx context.Context, call caller.Request, loc located, name string, prev previous, in Input) (Written, error) {
	change := nextVersion(call, loc.Place, name, prev, in, s.now())
	release, err := s.admit(ctx, loc, growthOf(name, prev, change))
	if err != nil {
		return Written{}, err
	}
	defer release()
	if in.refers() {
		if change.Version.Targets, err = s.checkReferences(ctx, call, loc, name, in.Value); err != nil {
			return Written{}, err
		}
	}
	if change.Sealed, err = s.seal(ctx, loc.Place, change, in.Value); err != nil {
		return Written{}, err
	}
	next, err := s.commit(ctx, loc, name, prev.head, change)
	if err != nil {
		return Written{}, err
	}
	return written(next), nil
}

func written(head *store.Head) Written {
	v := head.Newest()
	return Written{Version: v, Tags: head.Tags}
}

// nextVersion returns a change that adds a new version, still without its value. Times never
// decrease within a history, whatever the clock does: version_at relies on this order.
func nextVersion(call caller.Request, place workspaces.Place, name string, prev previous, in Input, now time.Time) store.Change {
	now = now.UTC()
	if prev.head != nil && prev.head.Newest().Created.After(now) {
		now = prev.head.Newest().Created
	}
	c := store.Change{
		Name: name,
		Version: store.Version{
			Number: prev.last + 1, Created: now, By: call.Actor, RequestID: call.ID,
			Comment: in.Comment, Encoding: in.Encoding, Size: len(in.Value), References: in.refers(),
		},
		Keep: place.Settings.MaxVersions,
	}
	after := place.Settings.DeleteVersionAfter
	if prev.head != nil {
		c.Tags = prev.head.Tags
		if own := prev.head.Settings; own.MaxVersions != 0 {
			c.Keep = own.MaxVersions
		}
		if own := prev.head.Settings.DeleteVersionAfter; own != 0 {
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
	err = s.withEncryption(ctx, place, func(seal *keyring.Context[keyring.SecretLocation]) error {
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

// current returns what the next version follows. It first applies a change of the secret that is
// still in a redo log, so that versions are stored in order. For a purged secret it first finishes
// the purge. The caller holds the lock of the name.
func (s *Service) current(ctx context.Context, loc located, name string) (previous, error) {
	if change, waits := loc.env.unappliedChange(name); waits {
		if err := s.applyChange(ctx, loc.EnvironmentID, loc.env, change); err != nil {
			return previous{}, err
		}
	}
	head, err := s.head(ctx, loc, name)
	if err != nil || head != nil {
		return previousOf(head), err
	}
	last, err := s.lastOf(ctx, loc, name)
	return previous{last: last}, err
}

// commit stores a change of one secret and makes it visible. The caller holds the lock of the name.
func (s *Service) commit(ctx context.Context, loc located, name string, head *store.Head, c store.Change) (*store.Head, error) {
	key := loc.key(name)
	next, err := s.storeChange(ctx, key, head, c)
	if err == nil && len(next.Doomed) > 0 {
		next = s.prune(ctx, key, next)
	}
	if next, err = s.publish(loc, key, next, err); err == nil && next.Floor < next.Versions[0].Number {
		s.startRemovingValues(loc, name)
	}
	return next, err
}

// replace stores a head with changed metadata and makes it visible. The caller holds the lock of
// the name.
func (s *Service) replace(ctx context.Context, loc located, name string, next *store.Head) (*store.Head, error) {
	key := loc.key(name)
	next, err := s.putHead(ctx, key, next)
	if err == nil {
		next = s.pruneDestroyed(ctx, key, next)
	}
	return s.publish(loc, key, next, err)
}

// pruneDestroyed is prune for a head that may list doomed versions. Once their values are removed,
// it stores the head without the list, so that no cold read tries to remove them again.
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

// publish makes the stored head visible. If storing it has failed, the outcome is unknown, and the
// next reader reads storage.
func (s *Service) publish(loc located, key headcache.Key, next *store.Head, err error) (*store.Head, error) {
	if errors.Is(err, store.ErrTooLarge) {
		s.cache.Drop(key) // its NeverSpilled may no longer be true
		return nil, fault.New(fault.Limit, "secret %s of %s with its comments and custom_metadata does not fit into one storage entry; shorten them, or destroy older versions and then lower max_versions", key.Name, loc.Path())
	}
	defer s.notify(loc.Place)
	if err != nil {
		loc.env.publish(&s.cache, key, nil)
		return nil, fmt.Errorf("store a secret: %w", err)
	}
	loc.env.publish(&s.cache, key, next)
	return next, nil
}

// storeChange stores the head that a change results in. The caller removes the values of dropped
// versions. storeChange may be repeated after a crash at any point.
func (s *Service) storeChange(ctx context.Context, key headcache.Key, head *store.Head, c store.Change) (*store.Head, error) {
	return s.putHead(ctx, key, apply(head, c))
}

// leftover lists the versions that may have an entry under ver/ although they are destroyed or no
// longer kept.
func leftover(head *store.Head) []uint64 {
	return append(slices.Clone(head.Doomed), dropped(head)...)
}

// dropped lists the versions that are no longer kept and may have an entry under ver/.
func dropped(head *store.Head) []uint64 {
	var all []uint64
	for n := head.Floor; n < head.Versions[0].Number; n++ {
		all = append(all, n)
	}
	return all
}

// prune removes the values of versions that are destroyed or no longer kept. If that fails, the
// next write or the next cold read tries again: the stored Floor and Doomed list what may be left.
func (s *Service) prune(ctx context.Context, key headcache.Key, head *store.Head) *store.Head {
	doomed := leftover(head)
	if len(doomed) == 0 || s.removeValues(ctx, key, doomed) != nil {
		return head
	}
	pruned := *head
	pruned.Floor, pruned.Doomed = max(head.Floor, head.Versions[0].Number), nil
	return &pruned
}

// startPruning removes the remaining values of destroyed versions in the background. If that fails,
// the head is dropped from memory, so that the next reader reads it from storage and tries again.
// startPruning reads the head from storage directly, because head would call startPruning again.
func (s *Service) startPruning(loc located, name string) {
	s.jobs.Start("prune "+string(loc.EnvironmentID)+"/"+name, func(ctx context.Context) {
		loc.env.commit.RLock()
		defer loc.env.commit.RUnlock()
		defer loc.env.locks.Lock(name)()
		if _, waits := loc.env.unappliedChange(name); waits || loc.env.gone.Load() {
			return // applying the unapplied change removes them too
		}
		key := loc.key(name)
		head, err := s.store.Head(ctx, key.Environment, name)
		switch {
		case err != nil:
			s.cache.Drop(key)
		case head == nil, head.Dying, len(head.Doomed) == 0:
		default:
			loc.env.publish(&s.cache, key, s.pruneDestroyed(ctx, key, head))
		}
	})
}

// startRemovingValues removes the values of dropped versions in the background. No writer waits for
// it. It holds no lock, because a dropped version never becomes kept again. After a failure, the
// next write tries again.
func (s *Service) startRemovingValues(loc located, name string) {
	s.jobs.Start("remove "+string(loc.EnvironmentID)+"/"+name, func(ctx context.Context) {
		key := loc.key(name)
		head := loc.env.storedHead(&s.cache, key)
		if head == nil { // it is no longer in memory
			var err error
			if head, err = s.store.Head(ctx, key.Environment, name); err != nil || head == nil || head.Dying {
				return
			}
		}
		if loc.env.gone.Load() || s.removeValues(ctx, key, dropped(head)) != nil {
			return
		}
		loc.env.raiseFloor(&s.cache, key, head.Versions[0].Number)
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

// admit reserves room in the environment. If sizes are missing, it measures the secrets first.
func (s *Service) admit(ctx context.Context, loc located, g growth) (release func(), err error) {
	release, known, err := loc.env.admit(loc.Path().String(), g, loc.Settings)
	if err != nil || known {
		return release, err
	}
	if _, err := s.snapshot(ctx, loc); err != nil {
		return nil, err
	}
	release, known, err = loc.env.admit(loc.Path().String(), g, loc.Settings)
	if err == nil && !known {
		err = fault.Damaged("the size of environment %s is unknown because one of its secrets is damaged; metadata/%s lists it", loc.Path(), loc.Path())
	}
	return release, err
}

var errStopped = errors.New("the environment was deleted")

// previous is what a new version follows: the head, or for a secret that does not exist, the last
// version number before it was purged.
type previous struct {
	head *store.Head
	last uint64
}

func previousOf(head *store.Head) previous {
	if head == nil {
		return previous{}
	}
	return previous{head, head.Newest().Number}
}

// apply returns the head that results from a change. head is nil if the secret does not exist. The
// result is the same for a change from a request and from a redo log. All older values that head
// held are inline in the result, and putHead spills them.
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
	next.Versions = append(slices.Clip(head.Versions), c.Version)
	addNewest(&next, head, c.Sealed)
	dropOldest(&next, c.Keep)
	return &next
}

// applied reports whether head already contains the change.
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

// canApply reports whether a change of a redo log can follow what is stored. The change must be the
// next version, a deletion of the newest version, or already applied. Any other change would leave
// a gap in the versions, which no reader expects.
func canApply(prev previous, c store.Change) bool {
	switch {
	case applied(prev.head, c):
		return true
	case c.IsDelete:
		return prev.head != nil && prev.last == c.Version.Number
	default:
		return prev.last+1 == c.Version.Number
	}
}

// withVersions returns a copy of a head in which change was applied to the metadata of the given
// versions. Numbers of versions that are not kept are ignored.
func withVersions(head *store.Head, versions []uint64, change func(*store.Version)) *store.Head {
	next := *head
	next.Versions = slices.Clone(head.Versions)
	for i := range next.Versions {
		if slices.Contains(versions, next.Versions[i].Number) {
			change(&next.Versions[i])
		}
	}
	return &next
}
