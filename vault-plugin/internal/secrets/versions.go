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

// logs says what enter does with the redo logs of the environment.
type logs bool

const (
	ignored logs = false
	// drained has them applied and removed. Whoever takes back what a log may have brought needs it: a log that is replayed
	// after a crash would bring it again.
	drained logs = true
)

// enter is write for one existing secret, with its lock held and its head at hand.
func (s *Service) enter(ctx context.Context, call caller.Request, path workspaces.Path, name string, logs logs) (_ at, _ *store.Head, leave func(), err error) {
	a, leaveEnv, err := s.write(call, path, false)
	if err != nil {
		return at{}, nil, nil, err
	}
	if logs == drained {
		if err := s.drain(ctx, a.EnvironmentID, a.env); err != nil {
			leaveEnv()
			return at{}, nil, nil, err
		}
	}
	unlock := a.env.locks.Lock(name)
	leave = func() { unlock(); leaveEnv() }
	upon, err := s.current(ctx, a, name)
	if err == nil && upon.head == nil {
		err = errNoSecret(a.Place, name)
	}
	if err != nil {
		leave()
		return at{}, nil, nil, err
	}
	return a, upon.head, leave, nil
}

func errNoSecret(place workspaces.Place, name string) error {
	return fault.Missing("secret %s of %s does not exist", name, place.Path())
}

// Delete marks versions as deleted, the newest where none is named; their values stay until they are pushed out. It answers the
// secret's metadata as they are now. What is deleted or destroyed already stays as it is.
func (s *Service) Delete(ctx context.Context, call caller.Request, path workspaces.Path, name string, versions []uint64) (Metadata, error) {
	a, head, leave, err := s.enter(ctx, call, path, name, ignored)
	if err != nil {
		return Metadata{}, err
	}
	defer leave()
	if len(versions) == 0 {
		versions = []uint64{head.Newest().Number}
	}
	return s.remark(ctx, a, name, head, versions, func(v *store.Version) bool {
		if !v.Live(s.now()) {
			return false
		}
		v.Deleted, v.DeletedBy, v.DeletedID = s.now().UTC(), call.Actor, call.ID
		return true
	})
}

// Undelete takes back the deletion of versions.
func (s *Service) Undelete(ctx context.Context, call caller.Request, path workspaces.Path, name string, versions []uint64) (Metadata, error) {
	a, head, leave, err := s.enter(ctx, call, path, name, drained)
	if err != nil {
		return Metadata{}, err
	}
	defer leave()
	return s.remark(ctx, a, name, head, versions, func(v *store.Version) bool {
		if v.Live(s.now()) || v.Destroyed {
			return false
		}
		v.Deleted, v.DeletedBy, v.DeletedID = store.Version{}.Deleted, store.Actor{}, ""
		return true
	})
}

// remark changes the metadata of versions and stores the head, unless change reports for all of them that there was nothing to
// do. A version that is not kept is passed over, as KV v2 does.
func (s *Service) remark(ctx context.Context, a at, name string, head *store.Head, versions []uint64, change func(*store.Version) bool) (Metadata, error) {
	changed := false
	next := mark(head, versions, func(v *store.Version) { changed = change(v) || changed })
	if !changed {
		return metadata(name, head), nil
	}
	release, err := s.admit(ctx, a, growth{bytes: size(name, next) - size(name, head)})
	if err != nil {
		return Metadata{}, err
	}
	defer release()
	next, err = s.replace(ctx, a, name, next)
	if err != nil {
		return Metadata{}, err
	}
	return metadata(name, next), nil
}

// Destroy removes the values of versions for ever: the inline ones with the Put of the head that
// names them destroyed. What may be under ver/ goes after it; a crash leaves it to the next write
// or cold read.
func (s *Service) Destroy(ctx context.Context, call caller.Request, path workspaces.Path, name string, versions []uint64) (Metadata, error) {
	a, head, leave, err := s.enter(ctx, call, path, name, drained)
	if err != nil {
		return Metadata{}, err
	}
	defer leave()
	next, err := s.replace(ctx, a, name, destroy(head, versions))
	if err != nil {
		return Metadata{}, err
	}
	return metadata(name, next), nil
}

// destroy returns a head without the values of versions. Those that may be under ver/ are doomed,
// also when they were destroyed before: a repeated call removes them for certain.
func destroy(head *store.Head, versions []uint64) *store.Head {
	doomed := slices.Clone(head.Doomed)
	next := mark(head, versions, func(v *store.Version) {
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

// Rollback makes a new version with the value and the encoding of an older one. It is atomic: nobody else's write comes between.
func (s *Service) Rollback(ctx context.Context, call caller.Request, path workspaces.Path, name string, version uint64, in Input) (Written, error) {
	a, head, leave, err := s.enter(ctx, call, path, name, ignored)
	if err != nil {
		return Written{}, err
	}
	defer leave()
	if replayed(head, call.ID) {
		return written(head), nil
	}
	if err := checkCAS(a.Place, name, head, in.CAS); err != nil {
		return Written{}, err
	}
	meta, kept := head.Version(version)
	if !kept || !meta.Live(s.now()) {
		return Written{}, fault.New(fault.NotFound, "version: version %d of secret %s of %s is deleted, destroyed or no longer kept", version, name, a.Path())
	}
	return s.again(ctx, call, a, name, head, meta, in)
}

// again writes a new version with the value of a kept one.
func (s *Service) again(ctx context.Context, call caller.Request, a at, name string, head *store.Head, from store.Version, in Input) (Written, error) {
	sealed, err := s.sealedValue(ctx, a, name, head, from.Number)
	if err != nil {
		return Written{}, err
	}
	err = s.with(ctx, a.Place, func(seal *keyring.Context[keyring.SecretLocation]) error {
		in.Value, err = open(seal, a.Place, name, from.Number, sealed)
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
	if err := checkInput(a.Place, in); err != nil {
		return Written{}, err
	}
	return s.add(ctx, call, a, name, on(head), in)
}

// Patch writes a new version in which only what is given differs from the newest: value nil keeps the value. A secret that does
// not exist, or whose newest version is deleted, is not found.
func (s *Service) Patch(ctx context.Context, call caller.Request, path workspaces.Path, name string, in Input) (Written, error) {
	a, head, leave, err := s.enter(ctx, call, path, name, ignored)
	if err != nil {
		return Written{}, err
	}
	defer leave()
	if replayed(head, call.ID) {
		return written(head), nil
	}
	if err := checkCAS(a.Place, name, head, in.CAS); err != nil {
		return Written{}, err
	}
	newest := head.Newest()
	if !newest.Live(s.now()) {
		return Written{}, fault.Missing("the newest version of secret %s of %s is deleted", name, a.Path())
	}
	if in.Value == nil {
		return s.again(ctx, call, a, name, head, newest, in)
	}
	if in.References == nil && in.Encoding == store.Text {
		in.References = &newest.References
	}
	if err := checkInput(a.Place, in); err != nil {
		return Written{}, err
	}
	return s.add(ctx, call, a, name, on(head), in)
}
