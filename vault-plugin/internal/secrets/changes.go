package secrets

import (
	"cmp"
	"context"
	"crypto/subtle"
	"maps"
	"slices"
	"strings"
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

// Limits of a page of the changelog, which bound the size of a response.
const (
	MaxChanges        = 1000
	maxChangedSecrets = 10_000 // of all changes of a page
)

// Change lists what one request has changed in an environment. It covers only the versions that are
// still kept.
type Change struct {
	ID      string // of the request
	Time    time.Time
	By      store.Actor
	Comment string
	Secrets []ChangedSecret // by name
	Omitted int             // secrets that are not in Secrets, because one page cannot hold them
}

// ChangedSecret is the effect of a change on one secret.
type ChangedSecret struct {
	Name    string
	Version uint64
	Action  string
}

// Changes derives the changelog of an environment from the histories of its secrets, newest change
// first. No second log exists, so none can contradict the histories. A version that is no longer
// kept is no longer in the changelog. Changes returns at most limit changes, and fewer if they
// concern many secrets. next is the value of after that returns the next page; it is empty on the
// last one.
func (s *Service) Changes(ctx context.Context, call caller.Request, path workspaces.Path, limit int, after string) (page []Change, next string, err error) {
	from, err := parseCursor(after)
	if err != nil {
		return nil, "", err
	}
	loc, err := s.locate(call, path)
	if err != nil {
		return nil, "", err
	}
	heads, err := s.snapshot(ctx, loc)
	if err != nil {
		return nil, "", err
	}
	all, err := changeLog(ctx, heads)
	if err != nil {
		return nil, "", err
	}
	if after != "" {
		first, _ := slices.BinarySearchFunc(all, from, func(c loggedChange, from cursor) int {
			return cmp.Or(c.compare(from), -1) // the change at the cursor is on the page before
		})
		all = all[first:]
	}
	all, next = firstPage(all, limit)
	page, err = describeChanges(ctx, heads, all)
	return page, next, err
}

// firstPage returns the first changes of a changelog that fit into a response, at least one of
// them, and the cursor of the last one if others follow.
func firstPage(all []loggedChange, limit int) (page []loggedChange, next string) {
	total := 0
	for i, c := range all {
		if total += c.secrets; i == limit || i > 0 && total > maxChangedSecrets {
			return all[:i], all[i-1].String()
		}
	}
	return all, ""
}

// cursor is the position of a change in the changelog.
type cursor struct {
	time time.Time
	id   string
}

// compare orders the changelog: the newest change comes first.
func (c cursor) compare(o cursor) int { return cmp.Or(o.time.Compare(c.time), cmp.Compare(c.id, o.id)) }

func (c cursor) String() string { return c.time.Format(time.RFC3339Nano) + "/" + c.id }

func parseCursor(text string) (c cursor, err error) {
	if text == "" {
		return cursor{}, nil
	}
	at, id, found := strings.Cut(text, "/")
	if c.time, err = time.Parse(time.RFC3339Nano, at); err != nil || !found {
		return cursor{}, fault.New(fault.Invalid, "after: must be the `next` of the previous page")
	}
	c.id = id
	return c, nil
}

// loggedChange is a change, without its content.
type loggedChange struct {
	cursor
	secrets int
}

// changeLog lists all changes, newest first.
func changeLog(ctx context.Context, heads []namedHead) ([]loggedChange, error) {
	byID := make(map[string]*loggedChange)
	err := eachChange(ctx, heads, func(e changeEvent) {
		c := byID[e.id]
		if c == nil {
			c = &loggedChange{cursor: cursor{id: e.id}}
			byID[e.id] = c
		}
		c.secrets++
		if e.at.After(c.time) {
			c.time = e.at
		}
	})
	all := make([]loggedChange, 0, len(byID))
	for _, c := range byID {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b loggedChange) int { return a.compare(b.cursor) })
	return all, err
}

// describeChanges returns the content of changes.
func describeChanges(ctx context.Context, heads []namedHead, logged []loggedChange) ([]Change, error) {
	all := make([]Change, len(logged))
	byID := make(map[string]*Change, len(logged))
	for i, c := range logged {
		all[i] = Change{ID: c.id, Time: c.time}
		byID[c.id] = &all[i]
	}
	err := eachChange(ctx, heads, func(e changeEvent) {
		c := byID[e.id]
		if c == nil {
			return
		}
		c.By, c.Comment = e.by, cmp.Or(c.Comment, e.comment) // a deletion by the same request has no comment
		if len(c.Secrets) == maxChangedSecrets {
			c.Omitted++
			return
		}
		c.Secrets = append(c.Secrets, e.secret)
	})
	return all, err
}

// changeEvent is the creation or the deletion of a version by a request.
type changeEvent struct {
	id      string // of the request
	at      time.Time
	by      store.Actor
	comment string
	secret  ChangedSecret
}

// eachChange calls note for each event in the histories of secrets, sorted by name and version.
func eachChange(ctx context.Context, heads []namedHead, note func(changeEvent)) error {
	for _, h := range heads {
		if err := ctx.Err(); err != nil {
			return err
		}
		if h.err != nil {
			continue // metadata reports it; a damaged secret hides no other change
		}
		for _, v := range h.head.Versions {
			action := Updated
			if v.Number == h.head.First {
				action = Created
			}
			note(changeEvent{v.RequestID, v.Created, v.By, v.Comment, ChangedSecret{h.name, v.Number, action}})
			if v.DeletedID != "" {
				note(changeEvent{v.DeletedID, v.Deleted, v.DeletedBy, "", ChangedSecret{h.name, v.Number, Removed}})
			}
		}
	}
	return nil
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
	var at time.Time
	err = eachChange(ctx, heads, func(e changeEvent) {
		if e.id == in.Change && e.at.After(at) {
			at = e.at
		}
	})
	if err != nil {
		return plan{}, err
	}
	if at.IsZero() {
		return plan{}, fault.New(fault.NotFound, "change: environment %s has no change with this id; list the changes with: vault read %schanges/%s", loc.Path(), call.Mount, loc.Path())
	}
	switch removed, err := s.removedSince(ctx, loc, at); {
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
		v, live, err := versionAt(loc.Place, h.name, h.head, at)
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

// Compared lists the secrets in which two environments differ, and those in which they do not.
type Compared struct{ OnlyFrom, OnlyTo, Different, Same []string }

// Compare compares the live secrets of two environments of a project.
func (s *Service) Compare(ctx context.Context, call caller.Request, from, to workspaces.Path) (Compared, error) {
	left, err := s.prepare(ctx, call, from, Selection{})
	if err != nil {
		return Compared{}, err
	}
	right, err := s.prepare(ctx, call, to, Selection{})
	if err != nil {
		return Compared{}, err
	}
	var c Compared
	share := func(most bool) int { return left.share(most) + right.share(most) }
	release, err := s.withShare(ctx, left.WorkspaceID, false, share, func(most bool) (err error) {
		c, err = compare(ctx, left, right, most)
		return err
	})
	if err == nil {
		release()
	}
	return c, err
}

func compare(ctx context.Context, from, to *prepared, most bool) (Compared, error) {
	left, err := from.open(ctx, most)
	if err != nil {
		return Compared{}, err
	}
	defer left.Wipe()
	right, err := to.open(ctx, most)
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
