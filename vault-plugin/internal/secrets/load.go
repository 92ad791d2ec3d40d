package secrets

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	globs "path"
	"slices"
	"time"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// Selection selects the secrets of an environment that are delivered, and the moment as of which.
// Its zero value selects all secrets, now.
type Selection struct {
	Include []string  // globs of names; empty means all
	Exclude []string  // globs of names that are excluded even if included
	At      time.Time // zero means now
}

// Check rejects an invalid glob.
func (sel Selection) Check() error {
	for field, patterns := range map[string][]string{"include": sel.Include, "exclude": sel.Exclude} {
		for _, glob := range patterns {
			if _, err := globs.Match(glob, ""); err != nil {
				return fault.New(fault.Invalid, "%s: has an invalid pattern; patterns match names, such as DB_* or *_URL", field)
			}
		}
	}
	return nil
}

// selects reports whether the secret with the given name is selected.
func (sel Selection) selects(name string) bool {
	matches := func(glob string) bool {
		ok, _ := globs.Match(glob, name)
		return ok
	}
	return (len(sel.Include) == 0 || slices.ContainsFunc(sel.Include, matches)) && !slices.ContainsFunc(sel.Exclude, matches)
}

// choice is a version that will be delivered.
type choice struct {
	name    string
	head    *store.Head
	version store.Version
	sealed  []byte
	err     error // why the version is unknown
}

// Delivery is what an environment delivers.
type Delivery struct {
	Secrets   []Secret
	Elsewhere bool      // it inherits or refers, so a change of another environment may change it
	Until     time.Time // when the first of its versions is deleted; zero if none will be
}

// Wipe clears the values.
func (d Delivery) Wipe() { wipe(d.Secrets) }

// Deliver opens every selected secret, all as of one moment, and reports what the result depends
// on. If it fails, the dependencies are unknown.
func (s *Service) Deliver(ctx context.Context, call caller.Request, path workspaces.Path, sel Selection) (Delivery, error) {
	loc, err := s.locate(call, path)
	if err != nil {
		return Delivery{}, err
	}
	if err := sel.Check(); err != nil {
		return Delivery{}, err
	}
	all, err := s.choose(ctx, loc, sel.At)
	if err != nil {
		return Delivery{}, err
	}
	choices, err := selected(all, sel)
	if err != nil {
		return Delivery{}, err
	}
	if loc.Base != "" || slices.ContainsFunc(choices, func(c choice) bool { return c.version.References }) {
		return s.deliverResolved(ctx, call, loc, all, sel)
	}
	d := Delivery{}
	for _, c := range choices {
		d.Until = earlier(d.Until, c.version.Deleted)
	}
	d.Secrets, err = s.openAll(ctx, loc, choices)
	return d, err
}

// deliverResolved is Deliver for an environment that inherits, or whose secrets refer to others.
// all lists the versions that were chosen in it.
func (s *Service) deliverResolved(ctx context.Context, call caller.Request, loc located, all []choice, sel Selection) (Delivery, error) {
	r := s.newResolver(ctx, call, sel.At)
	defer r.wipe()
	found, err := r.deliver(r.add(loc, all), sel)
	return Delivery{Secrets: found, Elsewhere: true, Until: r.until}, err
}

// earlier returns the earlier of two times. The zero time means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// openAll opens versions of an environment without inheritance and references.
func (s *Service) openAll(ctx context.Context, loc located, choices []choice) ([]Secret, error) {
	if err := s.fetch(ctx, loc, choices); err != nil {
		return nil, err
	}
	var all []Secret
	err := s.withEncryption(ctx, loc.Place, func(seal *keyring.Context[keyring.SecretLocation]) error {
		all = make([]Secret, 0, len(choices))
		for _, c := range choices {
			value, err := open(seal, loc.Place, c.name, c.version.Number, c.sealed)
			if err != nil {
				return err
			}
			all = append(all, Secret{Name: c.name, Version: c.version, Tags: c.head.Tags, Value: value})
		}
		return nil
	})
	return all, err
}

// choose returns the version of each secret that is delivered at a moment; the zero moment means
// now. A secret whose version is unknown or gone is included, with the reason. A version is also
// gone if it was delivered then but is deleted, expired or destroyed now: who may load only must
// not get values that were withdrawn.
func (s *Service) choose(ctx context.Context, loc located, moment time.Time) ([]choice, error) {
	now := s.now()
	if moment.After(now) {
		return nil, fault.New(fault.Invalid, "version_at: must not be in the future")
	}
	heads, err := s.snapshot(ctx, loc)
	if err != nil {
		return nil, err
	}
	all := make([]choice, 0, len(heads))
	for _, h := range heads {
		c := choice{name: h.name, head: h.head, err: h.err}
		live := false
		switch {
		case c.err != nil:
		case moment.IsZero():
			c.version = h.head.Newest()
			live = c.version.Live(now)
		default:
			c.version, live, c.err = versionAt(loc.Place, h.name, h.head, moment)
			if live && !c.version.Live(now) {
				c.err = errWithdrawn(loc.Place, h.name, c.version)
			}
		}
		if live || c.err != nil {
			all = append(all, c)
		}
	}
	if moment.IsZero() {
		return all, nil
	}
	removed, err := s.removedSince(ctx, loc, moment)
	return append(all, removed...), err
}

func errWithdrawn(place workspaces.Place, name string, v store.Version) error {
	return fault.New(fault.NotFound, "version_at: version %d, which secret %s of %s had at that time, was deleted or has expired since; undelete it, or leave the secret out with exclude",
		v.Number, name, place.Path())
}

// selected returns the selected choices. If any of them could not be read, it fails: an environment
// with a secret missing is worse than none.
func selected(all []choice, sel Selection) ([]choice, error) {
	found := all
	if len(sel.Include)+len(sel.Exclude) > 0 {
		found = slices.DeleteFunc(slices.Clone(all), func(c choice) bool { return !sel.selects(c.name) })
	}
	for i := range found {
		if err := found[i].err; err != nil {
			return nil, err
		}
	}
	return found, nil
}

// fetch reads the sealed values of the choices.
func (s *Service) fetch(ctx context.Context, loc located, choices []choice) error {
	var spilled []*choice
	for i := range choices {
		c := &choices[i]
		var inline bool
		if c.sealed, inline = c.head.Value(c.version.Number); !inline {
			spilled = append(spilled, c)
		}
	}
	return s.reads.Each(ctx, len(spilled), parallelism, func(ctx context.Context, i int) (err error) {
		c := spilled[i]
		c.sealed, err = s.sealedValue(ctx, loc, c.name, c.head, c.version.Number)
		return err
	})
}

// versionAt returns the version that was the newest at a moment, and whether it was delivered then.
// If that version is gone, it returns an error and never the nearest version that is left.
func versionAt(place workspaces.Place, name string, head *store.Head, at time.Time) (v store.Version, live bool, err error) {
	gone := fault.New(fault.NotFound, "version_at: the version that secret %s of %s had at that time is destroyed or no longer kept", name, place.Path())
	i := len(head.Versions) - 1
	for i >= 0 && head.Versions[i].Created.After(at) {
		i--
	}
	if i < 0 {
		if head.Versions[0].Number > head.First {
			return store.Version{}, false, gone
		}
		return store.Version{}, false, nil // the secret did not exist yet
	}
	v = head.Versions[i]
	switch deleted := !v.Deleted.IsZero() && !v.Deleted.After(at); {
	case deleted:
		return v, false, nil
	case v.Destroyed:
		return v, false, gone
	default:
		return v, true, nil
	}
}

// removedSince returns a choice for each secret that may have existed at a moment and was purged
// since. Its error is the reason why it cannot be delivered.
func (s *Service) removedSince(ctx context.Context, loc located, moment time.Time) ([]choice, error) {
	loc.env.mu.RLock()
	names := slices.Sorted(maps.Keys(loc.env.tombstones))
	loc.env.mu.RUnlock()
	all := make([]choice, len(names))
	err := s.reads.Each(ctx, len(names), parallelism, func(ctx context.Context, i int) error {
		all[i].name = names[i]
		tomb, err := s.store.Tombstone(ctx, loc.EnvironmentID, names[i])
		switch {
		case err != nil && !errors.Is(err, store.ErrDamaged):
			return fmt.Errorf("read a removed secret: %w", err)
		case tomb == nil:
			all[i].err = errDamagedTombstone(loc.Place, names[i])
		case !moment.Before(tomb.Born) && moment.Before(tomb.Removed):
			all[i].err = fault.New(fault.NotFound, "version_at: secret %s of %s was removed after that time, with all its versions", names[i], loc.Path())
		}
		return nil
	})
	return slices.DeleteFunc(all, func(c choice) bool { return c.err == nil }), err
}

// Compared lists the secrets in which two environments differ, and those in which they do not.
type Compared struct{ OnlyFrom, OnlyTo, Different, Same []string }

// Compare compares the live secrets of two environments of a project.
func (s *Service) Compare(ctx context.Context, call caller.Request, from, to workspaces.Path) (Compared, error) {
	left, err := s.Deliver(ctx, call, from, Selection{})
	if err != nil {
		return Compared{}, err
	}
	defer left.Wipe()
	right, err := s.Deliver(ctx, call, to, Selection{})
	if err != nil {
		return Compared{}, err
	}
	defer right.Wipe()
	values := make(map[string]Secret, len(right.Secrets))
	for _, secret := range right.Secrets {
		values[secret.Name] = secret
	}
	var c Compared
	for _, secret := range left.Secrets {
		other, both := values[secret.Name]
		delete(values, secret.Name)
		switch {
		case !both:
			c.OnlyFrom = append(c.OnlyFrom, secret.Name)
		case subtle.ConstantTimeCompare(secret.Value, other.Value) == 1 && secret.Version.Encoding == other.Version.Encoding:
			c.Same = append(c.Same, secret.Name)
		default:
			c.Different = append(c.Different, secret.Name)
		}
	}
	c.OnlyTo = slices.Sorted(maps.Keys(values))
	return c, nil
}

func wipe(all []Secret) {
	for _, secret := range all {
		clear(secret.Value)
	}
}
