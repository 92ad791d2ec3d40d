package secrets

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// The actions of a change on a secret.
const (
	Created = "created"
	Updated = "updated"
	Removed = "deleted"
)

// Change is what one request has done to the secrets of an environment, as far as their kept versions tell.
type Change struct {
	ID      string // of the request
	Time    time.Time
	By      store.Actor
	Comment string
	Secrets []ChangedSecret // by name
}

// ChangedSecret is what a change has done to one secret.
type ChangedSecret struct {
	Name    string
	Version uint64
	Action  string
}

// Changes derives the changelog of an environment from the histories of its secrets, newest first. There is no second log that
// could disagree with them; what has left the histories has left the changelog.
func (s *Service) Changes(ctx context.Context, call caller.Request, path workspaces.Path) ([]Change, error) {
	a, err := s.read(call, path)
	if err != nil {
		return nil, err
	}
	entries, err := s.snapshot(ctx, a)
	if err != nil {
		return nil, err
	}
	return changes(entries), nil
}

func changes(entries []entry) []Change {
	byID := make(map[string]*Change)
	note := func(id string, at time.Time, by store.Actor, comment string, secret ChangedSecret) {
		c := byID[id]
		if c == nil {
			c = &Change{ID: id, By: by, Comment: comment}
			byID[id] = c
		}
		if at.After(c.Time) {
			c.Time = at
		}
		c.Comment = cmp.Or(c.Comment, comment) // a deletion of the same request carries none
		c.Secrets = append(c.Secrets, secret)
	}
	for _, entry := range entries {
		if entry.err != nil {
			continue // metadata says so; a damaged entry hides no other change
		}
		for _, v := range entry.head.Versions {
			action := Updated
			if v.Number == entry.head.First {
				action = Created
			}
			note(v.RequestID, v.Created, v.By, v.Comment, ChangedSecret{entry.name, v.Number, action})
			if v.DeletedID != "" {
				note(v.DeletedID, v.Deleted, v.DeletedBy, "", ChangedSecret{entry.name, v.Number, Removed})
			}
		}
	}
	all := make([]Change, 0, len(byID))
	for _, c := range byID {
		slices.SortFunc(c.Secrets, func(a, b ChangedSecret) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
		})
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b Change) int { return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(a.ID, b.ID)) })
	return all
}

// Revert is the wish to have an environment as a change left it.
type Revert struct {
	Change  string // id
	Comment string
	DryRun  bool
}

// Revert makes the environment hold what it held right after a change: as new versions, all or nothing. Where a version it needs
// is gone, nothing is done.
func (s *Service) Revert(ctx context.Context, call caller.Request, path workspaces.Path, in Revert) (Imported, error) {
	return s.transact(ctx, call, path, in.DryRun, func(a at) (plan, error) { return s.planRevert(ctx, call, a, in) })
}

func (s *Service) planRevert(ctx context.Context, call caller.Request, a at, in Revert) (plan, error) {
	entries, err := s.snapshot(ctx, a)
	if err != nil {
		return plan{}, err
	}
	all := changes(entries)
	i := slices.IndexFunc(all, func(c Change) bool { return c.ID == in.Change })
	if i < 0 {
		return plan{}, fault.New(fault.NotFound, "change: environment %s has no such change; list them with: vault read %schanges/%s", a.Path(), call.Mount, a.Path())
	}
	sel := Selection{At: all[i].Time}
	if err := s.noneRemovedSince(ctx, a, sel); err != nil {
		return plan{}, err
	}
	wanted := make([]choice, 0, len(entries))
	var unwanted []choice
	for _, entry := range entries {
		if entry.err != nil {
			return plan{}, entry.err
		}
		v, live, err := versionAt(a.Place, entry.name, entry.head, sel.At)
		switch {
		case err != nil:
			return plan{}, err
		case live:
			wanted = append(wanted, choice{name: entry.name, head: entry.head, version: v})
		default:
			unwanted = append(unwanted, choice{name: entry.name, head: entry.head})
		}
	}
	if err := s.fetch(ctx, a, wanted); err != nil {
		return plan{}, err
	}
	return s.planChoices(ctx, call, a, wanted, unwanted, in)
}

// planChoices makes the plan that brings back the wanted versions and deletes what is unwanted.
func (s *Service) planChoices(ctx context.Context, call caller.Request, a at, wanted, unwanted []choice, in Revert) (made plan, err error) {
	err = s.with(ctx, a.Place, func(seal *keyring.Context[keyring.SecretLocation]) error {
		made = plan{call: call, at: s.now().UTC(), heads: make(map[string]*store.Head)}
		for _, c := range wanted {
			made.heads[c.name] = c.head
			if err := s.planReturn(a, seal, &made, c, in); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return plan{}, err // where the keys could not be had, there is no plan to add to
	}
	for _, c := range unwanted {
		made.heads[c.name] = c.head
		planDeletion(&made, c.name, c.head)
	}
	return made, nil
}

// planReturn adds to a plan that a version's value becomes the newest again, unless it is.
func (s *Service) planReturn(a at, seal *keyring.Context[keyring.SecretLocation], made *plan, c choice, in Revert) error {
	if replayed(c.head, made.call.ID) {
		made.Updated = append(made.Updated, c.name)
		return nil
	}
	value, err := open(seal, a.Place, c.name, c.version.Number, c.sealed)
	if err != nil {
		return err
	}
	defer clear(value)
	same, err := s.holds(seal, a.Place, c.name, c.head, value, c.version)
	if err != nil {
		return err
	}
	if same {
		made.Unchanged = append(made.Unchanged, c.name)
		return nil
	}
	input := Input{Value: value, Encoding: c.version.Encoding, References: &c.version.References, Comment: in.Comment}
	if err := planVersion(a, seal, made, c.name, on(c.head), input); err != nil {
		return err
	}
	made.changes[len(made.changes)-1].Version.Targets = c.version.Targets // it is checked again when it is resolved
	return nil
}
