package secrets

import (
	"context"
	"slices"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// redoLogs selects what lockSecret does with the redo logs of the environment.
type redoLogs bool

const (
	leaveLogs redoLogs = false
	// applyLogs applies and removes the logs. An operation that takes back a change that may be in
	// a log needs it: a log that is replayed after a crash would repeat the change.
	applyLogs redoLogs = true
)

// lockSecret is lockEnvironment for one existing secret. It also takes the lock of the name, and
// returns the head of the secret.
func (s *Service) lockSecret(ctx context.Context, call caller.Request, path workspaces.Path, name string, logs redoLogs) (_ located, _ *store.Head, unlock func(), err error) {
	loc, unlockEnvironment, err := s.lockEnvironment(call, path, false)
	if err != nil {
		return located{}, nil, nil, err
	}
	if logs == applyLogs {
		if err := s.drain(ctx, loc.EnvironmentID, loc.env); err != nil {
			unlockEnvironment()
			return located{}, nil, nil, err
		}
	}
	unlockName := loc.env.locks.Lock(name)
	unlock = func() { unlockName(); unlockEnvironment() }
	prev, err := s.current(ctx, loc, name)
	if err == nil && prev.head == nil {
		err = errNoSecret(loc.Place, name)
	}
	if err != nil {
		unlock()
		return located{}, nil, nil, err
	}
	return loc, prev.head, unlock, nil
}

func errNoSecret(place workspaces.Place, name string) error {
	return fault.Missing("secret %s of %s does not exist", name, place.Path())
}

// Delete marks versions as deleted; an empty list means the newest version. The values stay until
// the versions are dropped. Delete returns the new metadata of the secret. Versions that are
// deleted or destroyed already are not changed.
func (s *Service) Delete(ctx context.Context, call caller.Request, path workspaces.Path, name string, versions []uint64) (Metadata, error) {
	loc, head, unlock, err := s.lockSecret(ctx, call, path, name, leaveLogs)
	if err != nil {
		return Metadata{}, err
	}
	defer unlock()
	if len(versions) == 0 {
		versions = []uint64{head.Newest().Number}
	}
	return s.updateVersions(ctx, loc, name, head, versions, func(v *store.Version) bool {
		if !v.Live(s.now()) {
			return false
		}
		v.Deleted, v.DeletedBy, v.DeletedID = s.now().UTC(), call.Actor, call.ID
		return true
	})
}

// Undelete reverts the deletion of versions. It fails, and changes nothing, if a version is not
// kept or is destroyed: the caller would believe that its value is back.
func (s *Service) Undelete(ctx context.Context, call caller.Request, path workspaces.Path, name string, versions []uint64) (Metadata, error) {
	loc, head, unlock, err := s.lockSecret(ctx, call, path, name, applyLogs)
	if err != nil {
		return Metadata{}, err
	}
	defer unlock()
	for _, n := range versions {
		if v, kept := head.Version(n); !kept {
			return Metadata{}, fault.New(fault.NotFound, "versions: version %d of secret %s of %s does not exist or is no longer kept; its versions are %d to %d", n, name, loc.Path(), head.Versions[0].Number, head.Newest().Number)
		} else if v.Destroyed {
			return Metadata{}, fault.New(fault.NotFound, "versions: version %d of secret %s of %s is destroyed, so its value cannot be restored", n, name, loc.Path())
		}
	}
	return s.updateVersions(ctx, loc, name, head, versions, func(v *store.Version) bool {
		if v.Live(s.now()) {
			return false
		}
		v.Deleted, v.DeletedBy, v.DeletedID = store.Version{}.Deleted, store.Actor{}, ""
		return true
	})
}

// updateVersions changes the metadata of versions and stores the head. change reports whether it
// has changed a version. If no version changed, nothing is stored. Numbers of versions that are not
// kept are ignored, as in KV v2.
func (s *Service) updateVersions(ctx context.Context, loc located, name string, head *store.Head, versions []uint64, change func(*store.Version) bool) (Metadata, error) {
	changed := false
	next := withVersions(head, versions, func(v *store.Version) { changed = change(v) || changed })
	if !changed {
		return metadata(name, head), nil
	}
	release, err := s.admit(ctx, loc, growth{weight: weight{bytes: weigh(name, next).bytes - weigh(name, head).bytes}})
	if err != nil {
		return Metadata{}, err
	}
	defer release()
	next, err = s.replace(ctx, loc, name, next)
	if err != nil {
		return Metadata{}, err
	}
	return metadata(name, next), nil
}

// Destroy removes the values of versions permanently. Numbers of versions that are not kept are
// ignored, as in KV v2: their values are gone already. The Put of the head that marks the versions
// as destroyed removes their inline values. Entries under ver/ are removed after this Put. After a
// crash, the next write or cold read removes them.
func (s *Service) Destroy(ctx context.Context, call caller.Request, path workspaces.Path, name string, versions []uint64) (Metadata, error) {
	loc, head, unlock, err := s.lockSecret(ctx, call, path, name, applyLogs)
	if err != nil {
		return Metadata{}, err
	}
	defer unlock()
	next, err := s.replace(ctx, loc, name, destroy(head, versions))
	if err != nil {
		return Metadata{}, err
	}
	return metadata(name, next), nil
}

// destroy returns a head without the values of the given versions. Those that may be under ver/ are
// added to Doomed, even if they were destroyed before. So a repeated call removes them for certain.
func destroy(head *store.Head, versions []uint64) *store.Head {
	doomed := slices.Clone(head.Doomed)
	next := withVersions(head, versions, func(v *store.Version) {
		v.Destroyed = true
		if head.MaySpill(v.Number) {
			doomed = append(doomed, v.Number)
		}
	})
	slices.Sort(doomed)
	next.Doomed = slices.Compact(doomed)
	return next.WithValues(func(v store.Version, sealed []byte) []byte {
		if v.Destroyed {
			return nil
		}
		return sealed
	})
}

// Rollback adds a new version with the value and the encoding of an older version. It is atomic: no
// other write can come in between.
func (s *Service) Rollback(ctx context.Context, call caller.Request, path workspaces.Path, name string, version uint64, in Input) (Written, error) {
	loc, head, unlock, err := s.lockSecret(ctx, call, path, name, leaveLogs)
	if err != nil {
		return Written{}, err
	}
	defer unlock()
	if replayed(head, call.ID) {
		return written(head), nil
	}
	if err := checkCAS(loc.Place, name, head, in.CAS); err != nil {
		return Written{}, err
	}
	meta, kept := head.Version(version)
	if !kept || !meta.Live(s.now()) {
		return Written{}, fault.New(fault.NotFound, "version: version %d of secret %s of %s is deleted, destroyed or no longer kept", version, name, loc.Path())
	}
	return s.copyVersion(ctx, call, loc, name, head, meta, in)
}

// copyVersion adds a new version with the value of a kept version.
func (s *Service) copyVersion(ctx context.Context, call caller.Request, loc located, name string, head *store.Head, from store.Version, in Input) (Written, error) {
	sealed, err := s.sealedValue(ctx, loc, name, head, from.Number)
	if err != nil {
		return Written{}, err
	}
	err = s.withEncryption(ctx, loc.Place, func(seal *keyring.Context[keyring.SecretLocation]) error {
		in.Value, err = open(seal, loc.Place, name, from.Number, sealed)
		return err
	})
	if err != nil {
		return Written{}, err
	}
	defer clear(in.Value)
	in.Encoding = from.Encoding
	if in.References == nil {
		in.References = &from.References
	}
	if err := checkInput(loc.Place, in); err != nil {
		return Written{}, err
	}
	return s.add(ctx, call, loc, name, previousOf(head), in)
}

// Patch adds a new version in which only the given fields differ from the newest version. A nil
// value keeps the value. If the secret does not exist or its newest version is deleted, Patch
// returns a not-found error.
func (s *Service) Patch(ctx context.Context, call caller.Request, path workspaces.Path, name string, in Input) (Written, error) {
	loc, head, unlock, err := s.lockSecret(ctx, call, path, name, leaveLogs)
	if err != nil {
		return Written{}, err
	}
	defer unlock()
	if replayed(head, call.ID) {
		return written(head), nil
	}
	if err := checkCAS(loc.Place, name, head, in.CAS); err != nil {
		return Written{}, err
	}
	newest := head.Newest()
	if !newest.Live(s.now()) {
		return Written{}, fault.Missing("the newest version of secret %s of %s is deleted or destroyed; write a new version instead", name, loc.Path())
	}
	if in.Value == nil {
		return s.copyVersion(ctx, call, loc, name, head, newest, in)
	}
	in = in.after(head)
	if err := checkInput(loc.Place, in); err != nil {
		return Written{}, err
	}
	return s.add(ctx, call, loc, name, previousOf(head), in)
}
