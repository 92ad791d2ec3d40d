package secrets

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/references"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/settings"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// MaxHops bounds how far a chain of references goes.
const MaxHops = 10

// resolver delivers environments with what they inherit and with references resolved. It serves one call: every environment is
// looked at once, so that all values of the answer are of one moment each. Who may use what is asked anew at every step.
//
// A reference without an environment is looked up in the environment that is delivered, so an environment may set what the values
// it inherits refer to. One with an environment is looked up there, on behalf of the environment the value stands in.
type resolver struct {
	s      *Service
	ctx    context.Context
	call   caller.Request
	moment time.Time // zero means now

	views    map[store.ID]*view
	resolved map[hop]resolution
	until    time.Time // the first of the versions that were used ends then
	// proposed is a version that is about to be written, in the place of what is stored.
	proposed *proposal
}

// view is one environment as the call sees it.
type view struct {
	at
	choices map[string]*choice
}

// hop is a step of a chain: a secret, where it stands, and the environment that is delivered.
type hop struct {
	home  store.ID
	scope store.ID
	name  string
}

// resolution is what a secret comes to, and how many hops it took to know. The hops count for every chain that leads to it, so that
// a chain is too long or not whatever else was resolved before.
type resolution struct {
	value []byte
	hops  int
}

type proposal struct {
	env   store.ID
	name  string
	value []byte
}

func (s *Service) newResolver(ctx context.Context, call caller.Request, moment time.Time) *resolver {
	return &resolver{
		s: s, ctx: ctx, call: call, moment: moment,
		views: make(map[store.ID]*view), resolved: make(map[hop]resolution),
	}
}

// wipe clears the values that were opened on the way.
func (r *resolver) wipe() {
	for _, known := range r.resolved {
		clear(known.value)
	}
}

func (r *resolver) view(a at) (*view, error) {
	if v := r.views[a.EnvironmentID]; v != nil {
		return v, nil
	}
	choices, err := r.s.choose(r.ctx, a, r.moment)
	if err != nil {
		return nil, err
	}
	return r.add(a, choices)
}

// add makes a view of what was chosen of an environment. It fails where any of its secrets could
// not be chosen.
func (r *resolver) add(a at, choices []choice) (*view, error) {
	choices, err := r.s.selected(r.ctx, a, choices, Selection{At: r.moment})
	if err != nil {
		return nil, err
	}
	v := &view{at: a, choices: make(map[string]*choice, len(choices))}
	for i := range choices {
		v.choices[choices[i].name] = &choices[i]
	}
	if p := r.proposed; p != nil && p.env == a.EnvironmentID {
		v.choices[p.name] = &choice{name: p.name, version: store.Version{References: true}}
	}
	r.views[a.EnvironmentID] = v
	return v, nil
}

// other enters an environment that another one inherits from or refers to, if its owner lets it.
func (r *resolver) other(from *view, project, environment string) (*view, error) {
	place, err := r.s.tree.Shares(r.call, from.Place, workspaces.Path{Workspace: from.Workspace, Project: project, Environment: environment})
	if err != nil {
		return nil, err
	}
	a := at{place, r.s.environment(place.EnvironmentID)}
	if err := a.env.fault(); err != nil {
		return nil, err
	}
	return r.view(a)
}

// base enters the environment that one inherits from; nil where there is none.
func (r *resolver) base(of *view) (*view, error) {
	if of.Base == "" {
		return nil, nil
	}
	project, environment, _ := strings.Cut(of.Base, "/")
	return r.other(of, project, environment)
}

// lineage answers an environment and those it inherits from, the nearest first.
func (r *resolver) lineage(of *view) ([]*view, error) {
	all := []*view{of}
	for next := of; ; {
		parent, err := r.base(next)
		if err != nil || parent == nil {
			return all, err
		}
		if len(all) > workspaces.MaxBases || slices.Contains(all, parent) {
			return nil, fault.New(fault.Invalid, "base: the environments that %s inherits from form a circle or go too deep", of.Path())
		}
		all, next = append(all, parent), parent
	}
}

// find looks a name up in an environment and those it inherits from; home is where it stands.
func (r *resolver) find(in *view, name string) (c *choice, home *view, err error) {
	lineage, err := r.lineage(in)
	if err != nil {
		return nil, nil, err
	}
	for _, v := range lineage {
		if c := v.choices[name]; c != nil {
			return c, v, nil
		}
	}
	return nil, nil, fault.New(fault.NotFound, "secret %s of %s does not exist", name, in.Path())
}

// deliver returns the selected secrets of an environment that the resolver has a view of.
func (r *resolver) deliver(scope *view, sel Selection) ([]Secret, error) {
	lineage, err := r.lineage(scope)
	if err != nil {
		return nil, err
	}
	homes := make(map[string]*view)
	for _, v := range lineage {
		for name := range v.choices {
			if homes[name] == nil && sel.takes(name) {
				homes[name] = v
			}
		}
	}
	var all []Secret
	total := 0
	for _, name := range slices.Sorted(maps.Keys(homes)) { // in an order, so that of several mistakes the same one is told each time
		home := homes[name]
		c := home.choices[name]
		known, err := r.resolve(c, home, scope, nil)
		if err != nil {
			return nil, err
		}
		if total += len(name) + len(known.value); total > settings.MaxEnvironmentBytes.Max {
			return nil, fault.New(fault.Limit, "environment %s with what it inherits and refers to is larger than %d bytes", scope.Path(), settings.MaxEnvironmentBytes.Max)
		}
		all = append(all, Secret{Name: name, Version: c.version, Tags: c.head.Tags, Value: slices.Clone(known.value)})
	}
	return all, nil
}

// step is a secret on the way of a chain, for the error and to notice circles.
type step struct {
	hop
	label string
}

// resolve answers the value of a secret with its references resolved. The value belongs to the resolver.
func (r *resolver) resolve(c *choice, home, scope *view, chain []step) (resolution, error) {
	here := step{hop{home.EnvironmentID, scope.EnvironmentID, c.name}, home.Project + "/" + home.Environment + "/" + c.name}
	circle := slices.ContainsFunc(chain, func(s step) bool { return s.hop == here.hop })
	chain = append(slices.Clip(chain), here)
	known, done := r.resolved[here.hop]
	switch {
	case circle:
		return resolution{}, fault.New(fault.Invalid, "references: %s closes a circle", labels(chain))
	case len(chain)+known.hops > MaxHops+1:
		return resolution{}, fault.New(fault.Limit, "references: %s goes over %d hops", labels(chain), MaxHops)
	case done:
		return known, nil
	}
	value, err := r.open(c, home)
	if err != nil {
		return resolution{}, err
	}
	r.until = earlier(r.until, c.version.Deleted)
	known = resolution{value: value}
	if c.version.References {
		if known, err = r.expand(value, home, scope, chain); err != nil {
			return resolution{}, err
		}
	}
	r.resolved[here.hop] = known
	return known, nil
}

func (r *resolver) expand(value []byte, home, scope *view, chain []step) (resolution, error) {
	pieces, err := references.Parse(string(value))
	clear(value)
	if err != nil {
		return resolution{}, err
	}
	var out resolution
	for _, p := range pieces {
		part := resolution{value: []byte(p.Text)}
		if p.Ref != nil {
			if part, err = r.follow(p.Ref, home, scope, chain); err != nil {
				return resolution{}, err
			}
			out.hops = max(out.hops, part.hops+1)
		}
		// Each value is resolved once, so this bounds the work as well: no chain of doublings gets far.
		if len(out.value)+len(part.value) > settings.MaxValueBytes.Max {
			return resolution{}, fault.New(fault.Limit, "references: %s resolves to more than %d bytes", labels(chain), settings.MaxValueBytes.Max)
		}
		out.value = append(out.value, part.value...)
	}
	return out, nil
}

// follow answers what a reference stands for: what load delivers of its target, so bytes that are no text stand in base64.
func (r *resolver) follow(ref *references.Reference, home, scope *view, chain []step) (resolution, error) {
	in := scope
	if ref.Environment != "" {
		project := ref.Project
		if project == "" {
			project = home.Project
		}
		var err error
		if in, err = r.other(home, project, ref.Environment); err != nil {
			return resolution{}, along(chain, err)
		}
	}
	c, target, err := r.find(in, ref.Name)
	if err != nil {
		return resolution{}, along(chain, err)
	}
	known, err := r.resolve(c, target, in, chain)
	if err == nil && c.version.Encoding == store.Base64 {
		known.value = base64.StdEncoding.AppendEncode(nil, known.value)
	}
	return known, err
}

// open answers the stored value of a secret.
func (r *resolver) open(c *choice, home *view) (value []byte, err error) {
	if p := r.proposed; p != nil && c.head == nil {
		return slices.Clone(p.value), nil
	}
	one := []choice{*c}
	if err := r.s.fetch(r.ctx, home.at, one); err != nil {
		return nil, err
	}
	err = r.s.with(r.ctx, home.Place, func(seal *keyring.Context[keyring.SecretLocation]) error {
		value, err = open(seal, home.Place, c.name, c.version.Number, one[0].sealed)
		return err
	})
	return value, err
}

func labels(chain []step) string {
	names := make([]string, len(chain))
	for i, s := range chain {
		names[i] = s.label
	}
	return strings.Join(names, " -> ")
}

// along tells on the way of which chain something is wrong.
func along(chain []step, err error) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return &fault.Error{Kind: known.Kind, Status: known.Status, Text: "references: " + labels(chain) + ": " + known.Text}
	}
	return err
}

// checkReferences refuses a value whose references cannot be resolved as things stand, and answers what it refers to.
func (s *Service) checkReferences(ctx context.Context, call caller.Request, a at, name string, value []byte) ([]string, error) {
	pieces, err := references.Parse(string(value))
	if err != nil {
		return nil, err
	}
	r := s.newResolver(ctx, call, time.Time{})
	defer r.wipe()
	r.proposed = &proposal{a.EnvironmentID, name, value}
	scope, err := r.view(a)
	if err != nil {
		return nil, err
	}
	if _, err := r.resolve(scope.choices[name], scope, scope, nil); err != nil {
		return nil, err
	}
	return references.Targets(a.Project, pieces), nil
}

// Referring names the secrets of a workspace that refer to one in the environments named, and stand in none of them.
func (s *Service) Referring(ctx context.Context, ws store.ID, environments map[string]bool) ([]string, error) {
	var found []string
	for _, place := range s.tree.Places(ws) {
		path := place.Project + "/" + place.Environment
		if environments[path] {
			continue
		}
		entries, err := s.snapshot(ctx, at{place, s.environment(place.EnvironmentID)})
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			if entry.err != nil || !entry.head.Newest().Live(s.now()) {
				continue
			}
			if slices.ContainsFunc(entry.head.Newest().Targets, func(target string) bool {
				return environments[target[:strings.LastIndexByte(target, '/')]]
			}) {
				found = append(found, path+"/"+entry.name)
			}
		}
	}
	return found, nil
}
