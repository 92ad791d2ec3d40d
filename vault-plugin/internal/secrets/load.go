package secrets

import (
	"context"
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

// Selection says which secrets of an environment are delivered, and as of when. Its zero value means all of them, now.
type Selection struct {
	Include []string  // globs of names; empty means all
	Exclude []string  // globs of names that are left out even so
	At      time.Time // zero means now
}

// Check refuses a glob that cannot be read.
func (sel Selection) Check() error {
	for field, patterns := range map[string][]string{"include": sel.Include, "exclude": sel.Exclude} {
		for _, glob := range patterns {
			if _, err := globs.Match(glob, ""); err != nil {
				return fault.New(fault.Invalid, "%s: must be patterns of names, such as DB_* or *_URL", field)
			}
		}
	}
	return nil
}

func (sel Selection) takes(name string) bool {
	matches := func(glob string) bool {
		ok, _ := globs.Match(glob, name)
		return ok
	}
	return (len(sel.Include) == 0 || slices.ContainsFunc(sel.Include, matches)) && !slices.ContainsFunc(sel.Exclude, matches)
}

// choice is a version that is to be delivered.
type choice struct {
	name    string
	head    *store.Head
	version store.Version
	sealed  []byte
	err     error // why it cannot be chosen; the version is then unknown
}

// Delivery is what an environment delivers.
type Delivery struct {
	Secrets   []Secret
	Elsewhere bool      // some of it is inherited or referred to: a change of another environment of the workspace may change it
	Until     time.Time // the first of its versions ends then; zero: none does
}

// Wipe clears the values.
func (d Delivery) Wipe() { wipe(d.Secrets) }

// Deliver opens every secret that is selected, all as they were at one moment, and reports what the result depends on. Where it
// fails, that is not known.
func (s *Service) Deliver(ctx context.Context, call caller.Request, path workspaces.Path, sel Selection) (Delivery, error) {
	a, err := s.read(call, path)
	if err != nil {
		return Delivery{}, err
	}
	if err := sel.Check(); err != nil {
		return Delivery{}, err
	}
	all, err := s.choose(ctx, a, sel.At)
	if err != nil {
		return Delivery{}, err
	}
	choices, err := s.selected(ctx, a, all, sel)
	if err != nil {
		return Delivery{}, err
	}
	if a.Base != "" || slices.ContainsFunc(choices, func(c choice) bool { return c.version.References }) {
		return s.deliverResolved(ctx, call, a, all, sel)
	}
	d := Delivery{}
	for _, c := range choices {
		d.Until = earlier(d.Until, c.version.Deleted)
	}
	d.Secrets, err = s.openAll(ctx, a, choices)
	return d, err
}

// deliverResolved is Deliver for an environment that inherits or whose secrets refer to others. all
// is what was chosen of it.
func (s *Service) deliverResolved(ctx context.Context, call caller.Request, a at, all []choice, sel Selection) (Delivery, error) {
	r := s.newResolver(ctx, call, sel.At)
	defer r.wipe()
	scope, err := r.add(a, all)
	if err != nil {
		return Delivery{}, err
	}
	found, err := r.deliver(scope, sel)
	return Delivery{Secrets: found, Elsewhere: true, Until: r.until}, err
}

// earlier answers the earlier of two moments; a zero one never comes.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// openAll opens versions that stand for themselves.
func (s *Service) openAll(ctx context.Context, a at, choices []choice) ([]Secret, error) {
	if err := s.fetch(ctx, a, choices); err != nil {
		return nil, err
	}
	var all []Secret
	err := s.with(ctx, a.Place, func(seal *keyring.Context[keyring.SecretLocation]) error {
		all = make([]Secret, 0, len(choices))
		for _, c := range choices {
			value, err := open(seal, a.Place, c.name, c.version.Number, c.sealed)
			if err != nil {
				return err
			}
			all = append(all, Secret{Name: c.name, Version: c.version, Tags: c.head.Tags, Value: value})
		}
		return nil
	})
	return all, err
}

// choose picks the version of each secret that is delivered at a moment; a zero one is now. A
// secret whose version cannot be known is among the choices, with the reason.
func (s *Service) choose(ctx context.Context, a at, moment time.Time) ([]choice, error) {
	now := s.now()
	if moment.After(now) {
		return nil, fault.New(fault.Invalid, "version_at: must not lie in the future")
	}
	entries, err := s.snapshot(ctx, a)
	if err != nil {
		return nil, err
	}
	all := make([]choice, 0, len(entries))
	for _, entry := range entries {
		c := choice{name: entry.name, head: entry.head, err: entry.err}
		live := false
		switch {
		case c.err != nil:
		case moment.IsZero():
			c.version = entry.head.Newest()
			live = c.version.Live(now)
		default:
			c.version, live, c.err = versionAt(a.Place, entry.name, entry.head, moment)
		}
		if live || c.err != nil {
			all = append(all, c)
		}
	}
	return all, nil
}

// selected returns the choices that are selected. One that cannot be read fails them all: an
// environment with a hole in it is worse than none.
func (s *Service) selected(ctx context.Context, a at, all []choice, sel Selection) ([]choice, error) {
	found := all
	if len(sel.Include)+len(sel.Exclude) > 0 {
		found = slices.DeleteFunc(slices.Clone(all), func(c choice) bool { return !sel.takes(c.name) })
	}
	for i := range found {
		if err := found[i].err; err != nil {
			return nil, err
		}
	}
	if sel.At.IsZero() {
		return found, nil
	}
	return found, s.noneRemovedSince(ctx, a, sel)
}

// fetch reads the sealed values of the choices.
func (s *Service) fetch(ctx context.Context, a at, choices []choice) error {
	var spilled []*choice
	for i := range choices {
		c := &choices[i]
		var inline bool
		if c.sealed, inline = c.head.Value(c.version.Number); !inline {
			spilled = append(spilled, c)
		}
	}
	return s.reads.each(ctx, len(spilled), parallelism, func(ctx context.Context, i int) (err error) {
		c := spilled[i]
		c.sealed, err = s.sealedValue(ctx, a, c.name, c.head, c.version.Number)
		return err
	})
}

// versionAt answers the version of a secret that was the newest at a moment, and whether it was delivered then. A version that
// is gone is an error, never the nearest one that is not.
func versionAt(place workspaces.Place, name string, head *store.Head, at time.Time) (v store.Version, live bool, err error) {
	gone := fault.New(fault.NotFound, "version_at: the version that secret %s of %s had then is destroyed or no longer kept", name, place.Path())
	i := len(head.Versions) - 1
	for i >= 0 && head.Versions[i].Created.After(at) {
		i--
	}
	if i < 0 {
		if head.Versions[0].Number > head.First {
			return store.Version{}, false, gone
		}
		return store.Version{}, false, nil // there was no such secret yet
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

// noneRemovedSince refuses to answer for a moment at which there was a secret that has been removed since.
func (s *Service) noneRemovedSince(ctx context.Context, a at, sel Selection) error {
	a.env.mu.RLock()
	removed := slices.Sorted(maps.Keys(a.env.tombs))
	a.env.mu.RUnlock()
	for _, name := range removed {
		if !sel.takes(name) {
			continue
		}
		tomb, err := s.store.Tombstone(ctx, a.EnvironmentID, name)
		if err != nil || tomb == nil {
			return errDamagedHead(a.Place, name)
		}
		if !sel.At.Before(tomb.Born) && sel.At.Before(tomb.Removed) {
			return fault.New(fault.NotFound, "version_at: secret %s of %s was removed since, with all its versions", name, a.Path())
		}
	}
	return nil
}

// Compared names the secrets in which two environments differ.
type Compared struct{ OnlyFrom, OnlyTo, Different, Same []string }

// Compare holds the live secrets of two environments of a project against each other.
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
		case string(secret.Value) == string(other.Value) && secret.Version.Encoding == other.Version.Encoding:
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
