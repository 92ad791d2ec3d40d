package secrets

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/globs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// Selection selects the secrets of an environment that are delivered, and the moment as of which.
// Its zero value selects all secrets, now.
type Selection struct {
	Include []string  // globs of names; empty means all
	Exclude []string  // globs of names that are excluded even if included
	At      time.Time // zero means now
	// Lasts means that the values are in use for longer than a request, such as while a destination
	// is contacted.
	Lasts bool
}

// examplesOfNames are valid patterns of names, for errors.
const examplesOfNames = "DB_* or *_URL"

// Check rejects malformed patterns, and fields with too many or too long patterns.
func (sel Selection) Check() error {
	if err := globs.Check("include", examplesOfNames, sel.Include); err != nil {
		return err
	}
	return globs.Check("exclude", examplesOfNames, sel.Exclude)
}

func (sel Selection) filter() globs.Filter { return globs.NewFilter(sel.Include, sel.Exclude) }

// choice is a version that will be delivered.
type choice struct {
	name    string
	head    *store.Head
	version store.Version
	sealed  []byte
	err     error // why the version is unknown
}

// Delivery is what an environment delivers. It holds a share of the budget of open values until it
// is wiped.
type Delivery struct {
	Secrets   []Secret
	Elsewhere bool      // it inherits or refers, so a change of another environment may change it
	Until     time.Time // when the first of its versions is deleted; zero if none will be
	release   func()    // nil if it holds no share
}

// Wipe clears the values and ends the delivery's share of the budget.
func (d Delivery) Wipe() {
	wipe(d.Secrets)
	if d.release != nil {
		d.release()
	}
}

// Deliver opens every selected secret, all as of one moment, and reports what the result depends
// on. It waits until its values fit into the budget of open values. If it fails, the dependencies
// are unknown. The caller wipes the delivery.
func (s *Service) Deliver(ctx context.Context, call caller.Request, path workspaces.Path, sel Selection) (Delivery, error) {
	p, err := s.prepare(ctx, call, path, sel)
	if err != nil {
		return Delivery{}, err
	}
	var d Delivery
	d.release, err = s.withShare(ctx, p.WorkspaceID, sel.Lasts, p.share, func(most bool) error {
		found, err := p.open(ctx, most)
		d.Secrets, d.Elsewhere, d.Until = found.Secrets, found.Elsewhere, found.Until
		return err
	})
	return d, err
}

// prepared is a delivery whose versions are chosen and whose values are still sealed.
type prepared struct {
	located
	s       *Service
	choices []choice // the selected ones of the environment itself
	// The other fields are set if the environment inherits, or if its secrets refer to others.
	resolver *resolver
	scope    *view
	chosen   []inherited // the selected ones, inherited ones included
}

// prepare chooses the versions of a delivery.
func (s *Service) prepare(ctx context.Context, call caller.Request, path workspaces.Path, sel Selection) (*prepared, error) {
	loc, err := s.locate(call, path)
	if err != nil {
		return nil, err
	}
	if err := sel.Check(); err != nil {
		return nil, err
	}
	all, err := s.choose(ctx, loc, sel.At)
	if err != nil {
		return nil, err
	}
	p := &prepared{located: loc, s: s}
	if p.choices, err = selected(ctx, all, sel); err != nil {
		return nil, err
	}
	if loc.Base != "" || slices.ContainsFunc(p.choices, func(c choice) bool { return c.version.References }) {
		p.resolver = s.newResolver(ctx, call, sel.At)
		p.scope = p.resolver.add(loc, all)
		p.chosen, err = p.resolver.selected(p.scope, sel)
	}
	return p, err
}

// open opens the values of a delivery. The caller holds the share of the budget that share(most)
// returns. open fails with errShare if the values need more.
func (p *prepared) open(ctx context.Context, most bool) (Delivery, error) {
	if p.resolver == nil {
		d := Delivery{}
		for _, c := range p.choices {
			d.Until = earlier(d.Until, c.version.Deleted)
		}
		var err error
		d.Secrets, err = p.s.openAll(ctx, p.located, p.choices)
		return d, err
	}
	p.resolver.restart(p.share(most))
	defer p.resolver.wipe()
	found, err := p.resolver.deliver(p.scope, p.chosen)
	return Delivery{Secrets: found, Elsewhere: true, Until: p.resolver.until}, err
}

// DeliversNothing reports whether an environment delivers no secret, even without a selection. It
// opens no value.
func (s *Service) DeliversNothing(ctx context.Context, call caller.Request, path workspaces.Path) (bool, error) {
	p, err := s.prepare(ctx, call, path, Selection{})
	return err == nil && len(p.choices)+len(p.chosen) == 0, err
}

// share returns the bytes of open values that a delivery needs: all of them, or with references,
// what it needs in most cases. With most, it returns the most that a delivery may hold.
func (p *prepared) share(most bool) int {
	bytes := 0
	if p.resolver == nil {
		for _, c := range p.choices {
			bytes += openBytes(c)
		}
		return bytes
	}
	if most {
		return maxHeld
	}
	refers := false
	for _, c := range p.chosen {
		bytes += openBytes(*c.choice)
		refers = refers || c.version.References
	}
	if refers {
		bytes += bytes + usualReferences
	}
	return min(bytes, maxHeld)
}

func openBytes(c choice) int { return c.version.Size + len(c.name) + 64 }

// usualReferences is the number of bytes that the references of a delivery resolve to in most
// cases.
const usualReferences = 256 << 10

// errShare means that the values need more than the share of the budget that is held.
var errShare = errors.New("the values need a larger share of the budget of open values")

// withShare calls use while it holds a share of the budget of open values. If use fails with
// errShare, withShare gives the share back before it waits for the largest one. So nobody waits for
// a share while holding one. The caller calls release when the values are no longer in use.
func (s *Service) withShare(ctx context.Context, ws store.ID, lasts bool, share func(most bool) int, use func(most bool) error) (release func(), err error) {
	from := s.opened
	if lasts {
		from = s.openedLong
	}
	for _, most := range []bool{false, true} {
		release, err = from.Acquire(ctx, string(ws), share(most))
		if err != nil {
			return nil, fault.New(fault.Unavailable, "the memory for open values is in use by other requests; try again")
		}
		if err = use(most); err == nil {
			return release, nil
		}
		release()
		if !errors.Is(err, errShare) {
			break
		}
	}
	return nil, err
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
		wipe(all)
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
	if err != nil {
		wipe(all)
		return nil, err
	}
	return all, nil
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
func selected(ctx context.Context, all []choice, sel Selection) ([]choice, error) {
	filter := sel.filter()
	found := make([]choice, 0, len(all))
	for _, c := range all {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !filter.Selects(c.name) {
			continue
		}
		if c.err != nil {
			return nil, c.err
		}
		found = append(found, c)
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

func wipe(all []Secret) {
	for _, secret := range all {
		clear(secret.Value)
	}
}
