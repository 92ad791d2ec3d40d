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

// Actions of a change on a secret.
const (
	Created = "created"
	Updated = "updated"
	Removed = "deleted"
)

// Change lists what one request has changed in an environment. It covers only the versions that are
// still kept.
type Change struct {
	ID      string // of the request
	Time    time.Time
	By      store.Actor
	Comment string
	Secrets []ChangedSecret // by name
}

// ChangedSecret is the effect of a change on one secret.
type ChangedSecret struct {
	Name    string
	Version uint64
	Action  string
}

// Changes derives the changelog of an environment from the histories of its secrets, newest change
// first. No second log exists, so none can contradict the histories. A version that is no longer
// kept is no longer in the changelog.
func (s *Service) Changes(ctx context.Context, call caller.Request, path workspaces.Path) ([]Change, error) {
	loc, err := s.locate(call, path)
	if err != nil {
		return nil, err
	}
	heads, err := s.snapshot(ctx, loc)
	if err != nil {
		return nil, err
	}
	return changes(heads), nil
}

func changes(heads []namedHead) []Change {
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
		c.Comment = cmp.Or(c.Comment, comment) // a deletion by the same request has no comment
		c.Secrets = append(c.Secrets, secret)
	}
	for _, h := range heads {
		if h.err != nil {
			continue // metadata reports it; a damaged secret hides no other change
		}
		for _, v := range h.head.Versions {
			action := Updated
			if v.Number == h.head.First {
				action = Created
			}
			note(v.RequestID, v.Created, v.By, v.Comment, ChangedSecret{h.name, v.Number, action})
			if v.DeletedID != "" {
				note(v.DeletedID, v.Deleted, v.DeletedBy, "", ChangedSecret{h.name, v.Number, Removed})
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

// Revert describes how to return an environment to its state after a change.
type Revert struct {
	Change  string // id
	Comment string
	DryRun  bool
}

// Revert restores what the environment held right after a change, as new versions, all or nothing.
// If a version that it needs is gone, it fails and changes nothing.
func (s *Service) Revert(ctx context.Context, call caller.Request, path workspaces.Path, in Revert) (Imported, error) {
	return s.transact(ctx, call, path, in.DryRun, func(loc located) (plan, error) { return s.planRevert(ctx, call, loc, in) })
}

func (s *Service) planRevert(ctx context.Context, call caller.Request, loc located, in Revert) (plan, error) {
	heads, err := s.snapshot(ctx, loc)
	if err != nil {
		return plan{}, err
	}
	all := changes(heads)
	i := slices.IndexFunc(all, func(c Change) bool { return c.ID == in.Change })
	if i < 0 {
		return plan{}, fault.New(fault.NotFound, "change: environment %s has no change with this id; list the changes with: vault read %schanges/%s", loc.Path(), call.Mount, loc.Path())
	}
	then := all[i].Time
	switch removed, err := s.removedSince(ctx, loc, then); {
	case err != nil:
		return plan{}, err
	case len(removed) > 0:
		return plan{}, removed[0].err
	}
	wanted := make([]choice, 0, len(heads))
	var unwanted []choice
	for _, h := range heads {
		if h.err != nil {
			return plan{}, h.err
		}
		v, live, err := versionAt(loc.Place, h.name, h.head, then)
		switch {
		case err != nil:
			return plan{}, err
		case live:
			wanted = append(wanted, choice{name: h.name, head: h.head, version: v})
		default:
			unwanted = append(unwanted, choice{name: h.name, head: h.head})
		}
	}
	if err := s.fetch(ctx, loc, wanted); err != nil {
		return plan{}, err
	}
	return s.planChoices(ctx, call, loc, wanted, unwanted, in)
}

// planChoices returns the plan that restores the wanted versions and deletes the unwanted secrets.
func (s *Service) planChoices(ctx context.Context, call caller.Request, loc located, wanted, unwanted []choice, in Revert) (made plan, err error) {
	err = s.withEncryption(ctx, loc.Place, func(seal *keyring.Context[keyring.SecretLocation]) error {
		made = plan{call: call, at: s.now().UTC(), heads: make(map[string]*store.Head)}
		for _, c := range wanted {
			made.heads[c.name] = c.head
			if err := s.planReturn(loc, seal, &made, c, in); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return plan{}, err // without the keys there is no plan to extend
	}
	for _, c := range unwanted {
		made.heads[c.name] = c.head
		planDeletion(&made, c.name, c.head)
	}
	return made, nil
}

// planReturn extends a plan so that the value of a version becomes the newest again. If it is the
// newest already, planReturn notes the secret as unchanged.
func (s *Service) planReturn(loc located, seal *keyring.Context[keyring.SecretLocation], made *plan, c choice, in Revert) error {
	if replayed(c.head, made.call.ID) {
		made.Updated = append(made.Updated, c.name)
		return nil
	}
	value, err := open(seal, loc.Place, c.name, c.version.Number, c.sealed)
	if err != nil {
		return err
	}
	defer clear(value)
	same, err := s.holds(seal, loc.Place, c.name, c.head, value, c.version)
	if err != nil {
		return err
	}
	if same {
		made.Unchanged = append(made.Unchanged, c.name)
		return nil
	}
	input := Input{Value: value, Encoding: c.version.Encoding, References: &c.version.References, Comment: in.Comment}
	if err := planVersion(loc, seal, made, c.name, previousOf(c.head), input); err != nil {
		return err
	}
	// Resolving the value checks the targets again.
	made.changes[len(made.changes)-1].Version.Targets = c.version.Targets
	return nil
}
