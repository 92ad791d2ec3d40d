package secrets

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/charset"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/references"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// Limits of the metadata that is written with a value.
const (
	MaxComment = 512 // bytes
	MaxTags    = 16
	MaxTag     = 64 // bytes
)

// Input is a new version of a secret.
type Input struct {
	Value    []byte
	Encoding store.Encoding
	Comment  string
	Tags     *[]string // nil keeps the current tags
	// References reports whether ${NAME} and similar expressions in the value refer to other
	// secrets. Nil means no change, as for tags: a new secret has none, and bytes never have any.
	References *bool
	CAS        *uint64 // 0: the secret must not exist; otherwise the number of its newest version
}

func checkInput(place workspaces.Place, in Input) error {
	if err := checkValue("value", place, in); err != nil {
		return err
	}
	if in.refers() && in.Encoding != store.Text {
		return fault.New(fault.Invalid, "references: cannot be true with encoding=base64; use encoding=text")
	}
	if err := CheckComment(in.Comment); err != nil {
		return err
	}
	if in.Tags != nil {
		return checkTags(*in.Tags)
	}
	return nil
}

// CheckComment rejects a comment that is too long, or that a terminal would not show as it is.
func CheckComment(comment string) error {
	if len(comment) > MaxComment {
		return fault.New(fault.Limit, "comment: has %d bytes; the limit is %d", len(comment), MaxComment)
	}
	return charset.CheckPrintable("comment", comment)
}

func checkTags(tags []string) error {
	if len(tags) > MaxTags || slices.ContainsFunc(tags, func(t string) bool { return t == "" || len(t) > MaxTag }) {
		return fault.New(fault.Limit, "tags: at most %d tags are allowed, each of 1 to %d bytes", MaxTags, MaxTag)
	}
	for _, tag := range tags {
		if err := charset.CheckPrintable("tags", tag); err != nil {
			return err
		}
	}
	return nil
}

// checkValue rejects a value that is too large, and a text value that could not be returned
// unchanged. field is the field that the value was given in.
func checkValue(field string, place workspaces.Place, in Input) error {
	if limit := place.Settings.MaxValueBytes; len(in.Value) > limit {
		return fault.New(fault.Limit, "%s: has %d bytes; max_value_bytes of workspace %s is %d", field, len(in.Value), place.Workspace, limit)
	}
	if in.Encoding == store.Text {
		return charset.CheckValue(field, in.Value)
	}
	return nil
}

// checkCAS rejects a write that is based on another version than the newest. It also rejects a
// write without a version if cas_required is set.
func checkCAS(place workspaces.Place, name string, head *store.Head, cas *uint64) error {
	if cas == nil {
		if place.Settings.CASRequired || head != nil && head.Settings.CASRequired {
			return fault.New(fault.Invalid, "cas: is required for secret %s of %s; set it to the number of the newest version, or to 0 if the secret does not exist", name, place.Path())
		}
		return nil
	}
	newest := previousOf(head).last
	if *cas == newest {
		return nil
	}
	what := fmt.Sprintf("its newest version is %d", newest)
	if newest == 0 {
		what = "it does not exist (cas=0)"
	}
	return fault.New(fault.Conflict, "cas: secret %s of %s is not at version %d: %s; read it again before writing", name, place.Path(), *cas, what)
}

// refers reports whether references in the value are resolved.
func (in Input) refers() bool { return in.References != nil && *in.References }

// after returns the input of a version that follows head: what the input does not mention stays as
// it is. head is nil for a new secret.
func (in Input) after(head *store.Head) Input {
	if in.References == nil && in.Encoding == store.Text && head != nil {
		stays := head.Newest().References
		in.References = &stays
	}
	return in
}

// EncodingOf returns the encoding with the given name. The empty name means text.
func EncodingOf(name string) (store.Encoding, error) {
	switch strings.ToLower(name) {
	case "", "text":
		return store.Text, nil
	case "base64":
		return store.Base64, nil
	}
	return 0, fault.New(fault.Invalid, "encoding: must be text or base64")
}

// proposal holds the secrets of an environment that a write changes, by name.
type proposal struct {
	env    store.ID
	values map[string]proposedValue
	gone   map[string]bool // the secrets that the write deletes
}

type proposedValue struct {
	value   []byte
	version store.Version // without a number
}

// checkReferences returns the names of the secrets that a value refers to. It fails if a reference
// cannot be resolved now.
func (s *Service) checkReferences(ctx context.Context, call caller.Request, loc located, name string, value []byte) ([]string, error) {
	proposed := &proposal{env: loc.EnvironmentID, values: map[string]proposedValue{name: {value, store.Version{References: true}}}}
	targets, err := s.checkProposal(ctx, call, loc, proposed)
	return targets[name], err
}

// checkProposal returns, for each proposed value with references, the names of the secrets that it
// refers to. It fails if a reference could not be resolved after the write.
func (s *Service) checkProposal(ctx context.Context, call caller.Request, loc located, proposed *proposal) (map[string][]string, error) {
	targets, bytes, err := proposed.targets(loc.Project)
	if err != nil || len(targets) == 0 {
		return targets, err
	}
	r := s.newResolver(ctx, call, time.Time{})
	defer r.wipe()
	r.proposed = proposed
	scope, err := r.view(loc)
	if err != nil {
		return nil, err
	}
	share := func(most bool) int {
		if most {
			return maxHeld
		}
		return min(2*bytes+usualReferences, maxHeld)
	}
	release, err := s.withShare(ctx, loc.WorkspaceID, false, share, func(most bool) error {
		r.restart(share(most))
		for _, name := range slices.Sorted(maps.Keys(targets)) {
			if _, err := r.resolve(scope.choices[name], scope, scope, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	release()
	return targets, nil
}

// targets returns, for each value with references, the names of the secrets that it refers to, and
// the size of all these values.
func (p *proposal) targets(project string) (targets map[string][]string, bytes int, err error) {
	targets = make(map[string][]string)
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		next := p.values[name]
		if !next.version.References {
			continue
		}
		pieces, err := references.Parse(string(next.value))
		if err != nil && len(p.values) > 1 {
			return nil, 0, fault.New(fault.Invalid, "secrets: %s: %s", name, strings.TrimPrefix(err.Error(), string(fault.Invalid)+": "))
		}
		if err != nil {
			return nil, 0, err
		}
		targets[name] = references.Targets(project, pieces)
		bytes += len(next.value)
	}
	return targets, bytes, nil
}
