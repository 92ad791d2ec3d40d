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

// maxHeld is the most bytes that the opened values of a call have together, with those that are
// needed for references only.
const maxHeld = 32 << 20

// resolver delivers environments with inherited secrets and resolved references. It serves one
// call. It reads every environment once, so all values of one environment are of one moment.
// Permissions are checked at every step.
//
// A reference without an environment is looked up in the environment that is delivered, so an
// environment can set what its inherited values refer to. A reference with an environment is looked
// up in that environment, with the permissions of the environment that stores the value.
type resolver struct {
	s      *Service
	ctx    context.Context
	call   caller.Request
	moment time.Time // zero means now

	views    map[store.ID]*view
	reached  map[link]*view // by the environment that a reference is in, and the one that it names
	lineages map[store.ID][]*view

	resolved   map[hop]resolution
	until      time.Time // when the first used version is deleted; zero if none will be
	limit      int       // of the bytes in held
	held       int       // bytes of the opened values
	expansions int
	// proposed holds what is about to be written. It replaces what is stored.
	proposed *proposal
}

// view is one environment as the call sees it.
type view struct {
	located
	choices map[string]*choice
}

// hop identifies a step of a chain: a secret, the environment that stores it, and the environment
// that is delivered.
type hop struct {
	home  store.ID
	scope store.ID
	name  string
}

// link is the way from one environment to another of the same workspace.
type link struct {
	from                 store.ID
	project, environment string
}

// inherited is a version that an environment delivers, and the environment that stores it.
type inherited struct {
	*choice
	home *view
}

// resolution is the resolved value of a secret, and the number of hops below it. The hops count for
// every chain that leads to the secret. So the limit of a chain does not depend on what was
// resolved before.
type resolution struct {
	value []byte
	hops  int
}

func (s *Service) newResolver(ctx context.Context, call caller.Request, moment time.Time) *resolver {
	return &resolver{
		s: s, ctx: ctx, call: call, moment: moment,
		views: make(map[store.ID]*view), reached: make(map[link]*view), lineages: make(map[store.ID][]*view),
	}
}

// restart forgets all values, and allows the next ones to have limit bytes together.
func (r *resolver) restart(limit int) {
	r.wipe()
	r.limit, r.held, r.expansions, r.until = limit, 0, 0, time.Time{}
}

// wipe clears the opened values.
func (r *resolver) wipe() {
	for _, known := range r.resolved {
		clear(known.value)
	}
	r.resolved = make(map[hop]resolution)
}

// hold counts n more bytes of opened values.
func (r *resolver) hold(n int) error {
	r.held += n
	switch {
	case r.held <= r.limit:
		return nil
	case r.limit < maxHeld:
		return errShare
	}
	return fault.New(fault.Limit, "references: the values that this request needs have more than %d bytes together; use fewer references to large values", maxHeld)
}

func (r *resolver) view(loc located) (*view, error) {
	if v := r.views[loc.EnvironmentID]; v != nil {
		return v, nil
	}
	if len(r.views) >= references.MaxReached {
		return nil, fault.New(fault.Limit, "references: this request needs more than %d environments; refer to fewer environments", references.MaxReached)
	}
	choices, err := r.s.choose(r.ctx, loc, r.moment)
	if err != nil {
		return nil, err
	}
	return r.add(loc, choices), nil
}

// add makes a view of the choices of an environment. A secret whose version is unknown or gone is
// in the view, so that it hides an inherited secret of its name. To resolve it is an error.
func (r *resolver) add(loc located, choices []choice) *view {
	v := &view{located: loc, choices: make(map[string]*choice, len(choices))}
	for i := range choices {
		v.choices[choices[i].name] = &choices[i]
	}
	if p := r.proposed; p != nil && p.env == loc.EnvironmentID {
		for name := range p.gone {
			delete(v.choices, name)
		}
		for name, next := range p.values {
			version := next.version
			version.Size = len(next.value)
			v.choices[name] = &choice{name: name, version: version}
		}
	}
	r.views[loc.EnvironmentID] = v
	return v
}

// other returns the view of an environment that another one inherits from or refers to. It fails if
// the environment is not shared with from.
func (r *resolver) other(from *view, project, environment string) (*view, error) {
	by := link{from.EnvironmentID, project, environment}
	if v := r.reached[by]; v != nil {
		return v, nil
	}
	place, err := r.s.tree.Shares(r.call, from.Place, workspaces.Path{Workspace: from.Workspace, Project: project, Environment: environment})
	if err != nil {
		return nil, err
	}
	loc := located{place, r.s.environment(place.EnvironmentID)}
	if err := loc.env.fault(); err != nil {
		return nil, err
	}
	v, err := r.view(loc)
	if err == nil {
		r.reached[by] = v
	}
	return v, err
}

// base returns the view of the environment that of inherits from, or nil if there is none.
func (r *resolver) base(of *view) (*view, error) {
	if of.Base == "" {
		return nil, nil
	}
	project, environment, _ := strings.Cut(of.Base, "/")
	return r.other(of, project, environment)
}

// lineage returns an environment and the environments that it inherits from, nearest first.
func (r *resolver) lineage(of *view) ([]*view, error) {
	if known := r.lineages[of.EnvironmentID]; known != nil {
		return known, nil
	}
	all := []*view{of}
	for next := of; ; {
		parent, err := r.base(next)
		if err != nil {
			return nil, err
		}
		if parent == nil {
			r.lineages[of.EnvironmentID] = all
			return all, nil
		}
		if len(all) > workspaces.MaxBases || slices.Contains(all, parent) {
			return nil, fault.New(fault.Invalid, "base: the chain of environments that %s inherits from has a circle or is too long", of.Path())
		}
		all, next = append(all, parent), parent
	}
}

// find looks up a name in an environment and the environments that it inherits from. home is the
// environment that stores the secret.
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

// selected returns what an environment delivers of a selection, inherited secrets included, sorted
// by name.
func (r *resolver) selected(scope *view, sel Selection) ([]inherited, error) {
	lineage, err := r.lineage(scope)
	if err != nil {
		return nil, err
	}
	filter, homes := sel.filter(), make(map[string]*view)
	for _, v := range lineage {
		for name := range v.choices {
			if err := r.ctx.Err(); err != nil {
				return nil, err
			}
			if homes[name] == nil && filter.Selects(name) {
				homes[name] = v
			}
		}
	}
	all := make([]inherited, 0, len(homes))
	// The names are sorted so that, of several errors, the same one is returned each time.
	for _, name := range slices.Sorted(maps.Keys(homes)) {
		all = append(all, inherited{homes[name].choices[name], homes[name]})
	}
	return all, nil
}

// deliver returns chosen secrets of an environment with their values, which then belong to the
// caller.
func (r *resolver) deliver(scope *view, chosen []inherited) ([]Secret, error) {
	all := make([]Secret, 0, len(chosen))
	total := 0
	for _, c := range chosen {
		known, err := r.resolve(c.choice, c.home, scope, nil)
		if err != nil {
			return nil, err
		}
		if total += len(c.name) + len(known.value); total > settings.MaxEnvironmentBytes.Max {
			return nil, fault.New(fault.Limit, "environment %s with inherited secrets and resolved references is larger than %d bytes", scope.Path(), settings.MaxEnvironmentBytes.Max)
		}
		all = append(all, Secret{Name: c.name, Version: c.version, Tags: c.head.Tags, Value: known.value})
	}
	for _, c := range chosen {
		delete(r.resolved, hop{c.home.EnvironmentID, scope.EnvironmentID, c.name}) // wipe must not clear it
	}
	return all, nil
}

// step is a secret in a chain. The chain is used for errors and for the detection of circles.
type step struct {
	hop
	label string
}

// resolve returns the value of a secret with its references resolved. The value belongs to the
// resolver.
func (r *resolver) resolve(c *choice, home, scope *view, chain []step) (resolution, error) {
	here := step{hop{home.EnvironmentID, scope.EnvironmentID, c.name}, home.Project + "/" + home.Environment + "/" + c.name}
	circle := slices.ContainsFunc(chain, func(s step) bool { return s.hop == here.hop })
	chain = append(slices.Clip(chain), here)
	known, done := r.resolved[here.hop]
	switch {
	case circle:
		return resolution{}, fault.New(fault.Invalid, "references: %s forms a circle", labels(chain))
	case len(chain)+known.hops > references.MaxHops+1:
		return resolution{}, fault.New(fault.Limit, "references: %s has more than %d hops", labels(chain), references.MaxHops)
	case done:
		return known, nil
	case c.err != nil:
		return resolution{}, c.err
	}
	if err := r.ctx.Err(); err != nil {
		return resolution{}, err
	}
	if err := r.hold(len(c.name) + c.version.Size); err != nil {
		return resolution{}, err
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
	r.held -= len(value)
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
		if len(out.value)+len(part.value) > settings.MaxValueBytes.Max {
			return resolution{}, fault.New(fault.Limit, "references: %s resolves to more than %d bytes", labels(chain), settings.MaxValueBytes.Max)
		}
		if err := r.hold(len(part.value)); err != nil {
			return resolution{}, err
		}
		out.value = append(out.value, part.value...)
	}
	return out, nil
}

// follow returns the value that load delivers for the target of a reference. A value that is not
// text is in base64.
func (r *resolver) follow(ref *references.Reference, home, scope *view, chain []step) (resolution, error) {
	if r.expansions++; r.expansions > references.MaxExpansions {
		return resolution{}, fault.New(fault.Limit, "references: this request needs more than %d references; select fewer secrets, or use fewer references", references.MaxExpansions)
	}
	in := scope
	if ref.Environment != "" {
		project := ref.Project
		if project == "" {
			project = home.Project
		}
		var err error
		if in, err = r.other(home, project, ref.Environment); err != nil {
			return resolution{}, withChain(chain, err)
		}
	}
	c, target, err := r.find(in, ref.Name)
	if err != nil {
		return resolution{}, withChain(chain, err)
	}
	known, err := r.resolve(c, target, in, chain)
	if err == nil && c.version.Encoding == store.Base64 {
		known.value = base64.StdEncoding.AppendEncode(nil, known.value)
	}
	return known, err
}

// open returns the stored value of a secret.
func (r *resolver) open(c *choice, home *view) (value []byte, err error) {
	if p := r.proposed; p != nil && c.head == nil {
		return slices.Clone(p.values[c.name].value), nil
	}
	one := []choice{*c}
	if err := r.s.fetch(r.ctx, home.located, one); err != nil {
		return nil, err
	}
	err = r.s.withEncryption(r.ctx, home.Place, func(seal *keyring.Context[keyring.SecretLocation]) error {
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

// withChain adds the chain of references to an error.
func withChain(chain []step, err error) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return &fault.Error{Kind: known.Kind, Status: known.Status, Text: "references: " + labels(chain) + ": " + known.Text}
	}
	return err
}
