package providertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
)

// recorder is a test that records whether it failed.
type recorder struct {
	testing.TB
	failed atomic.Bool
}

func (r *recorder) Error(...any)          { r.failed.Store(true) }
func (r *recorder) Errorf(string, ...any) { r.failed.Store(true) }
func (r *recorder) Fatal(...any)          { r.FailNow() }
func (r *recorder) Fatalf(string, ...any) { r.FailNow() }
func (r *recorder) Skip(...any)           { runtime.Goexit() }

func (r *recorder) FailNow() {
	r.failed.Store(true)
	runtime.Goexit()
}

// fails reports whether a check fails for a party.
func fails(t *testing.T, name string, open func(testing.TB) Party) bool {
	t.Helper()
	all := allChecks()
	i := slices.IndexFunc(all, func(c check) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("there is no check %q", name)
	}
	r := &recorder{TB: t}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		all[i].try(r, open)
	}()
	<-ended
	return r.failed.Load()
}

// spoiled is the toy with replaced methods.
type spoiled struct {
	provider.Provider
	declare func(d provider.Declaration) provider.Declaration
	list    func(ctx context.Context, s *provider.Session, place provider.Place) ([]provider.Entry, error)
	apply   func(ctx context.Context, s *provider.Session, place provider.Place, changes []provider.Change) []provider.Result
	read    func(values []provider.Value, names []string) []provider.Value
	look    func(entries []provider.Entry, names []string) []provider.Entry
	lacks   func(phrases []string) []string
	ignore  bool // ignores the end of a context
}

func (p spoiled) Declare() provider.Declaration {
	if p.declare == nil {
		return p.Provider.Declare()
	}
	return p.declare(p.Provider.Declare())
}

func (p spoiled) List(ctx context.Context, s *provider.Session, place provider.Place) ([]provider.Entry, error) {
	if p.list == nil {
		return p.Provider.List(p.context(ctx), s, place)
	}
	return p.list(ctx, s, place)
}

func (p spoiled) Apply(ctx context.Context, s *provider.Session, place provider.Place, changes []provider.Change) []provider.Result {
	if p.apply == nil {
		return p.Provider.Apply(p.context(ctx), s, place, changes)
	}
	return p.apply(ctx, s, place, changes)
}

func (p spoiled) Read(ctx context.Context, s *provider.Session, place provider.Place, names []string) ([]provider.Value, error) {
	reader, _ := p.Provider.(provider.Reader)
	values, err := reader.Read(p.context(ctx), s, place, names)
	if p.read == nil {
		return values, err
	}
	return p.read(values, names), err
}

func (p spoiled) Look(ctx context.Context, s *provider.Session, place provider.Place, names []string) ([]provider.Entry, error) {
	looker, _ := p.Provider.(provider.Looker)
	entries, err := looker.Look(p.context(ctx), s, place, names)
	if p.look == nil {
		return entries, err
	}
	return p.look(entries, names), err
}

func (p spoiled) Lacks(ctx context.Context, s *provider.Session, place provider.Place, name string) ([]string, error) {
	checker, _ := p.Provider.(provider.Checker)
	phrases, err := checker.Lacks(p.context(ctx), s, place, name)
	if p.lacks == nil {
		return phrases, err
	}
	return p.lacks(phrases), err
}

func (p spoiled) context(ctx context.Context) context.Context {
	if p.ignore {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// each changes the results of Apply.
func each(change func(c provider.Change, r *provider.Result)) func(provider.Provider) provider.Provider {
	return func(p provider.Provider) provider.Provider {
		return spoiled{Provider: p, apply: func(ctx context.Context, s *provider.Session, place provider.Place, changes []provider.Change) []provider.Result {
			results := p.Apply(ctx, s, place, changes)
			for i := range results {
				change(changes[i], &results[i])
			}
			return results
		}}
	}
}

// before changes the changes that Apply receives.
func before(change func(c *provider.Change)) func(provider.Provider) provider.Provider {
	return func(p provider.Provider) provider.Provider {
		return spoiled{Provider: p, apply: func(ctx context.Context, s *provider.Session, place provider.Place, changes []provider.Change) []provider.Result {
			others := slices.Clone(changes)
			for i := range others {
				change(&others[i])
			}
			return p.Apply(ctx, s, place, others)
		}}
	}
}

// listing changes the result of List.
func listing(change func(entries []provider.Entry, err error) ([]provider.Entry, error)) func(provider.Provider) provider.Provider {
	return func(p provider.Provider) provider.Provider {
		return spoiled{Provider: p, list: func(ctx context.Context, s *provider.Session, place provider.Place) ([]provider.Entry, error) {
			return change(p.List(ctx, s, place))
		}}
	}
}

func declaring(change func(d *provider.Declaration)) func(provider.Provider) provider.Provider {
	return func(p provider.Provider) provider.Provider {
		return spoiled{Provider: p, declare: func(d provider.Declaration) provider.Declaration {
			change(&d)
			return d
		}}
	}
}

// Each case makes one mistake, and the check for that mistake must fail. Otherwise a passing suite
// proves nothing.
func TestTheSuiteDetectsMistakes(t *testing.T) {
	declared := 0
	for mistake, c := range map[string]struct {
		check   string
		options toy.Options
		spoil   func(provider.Provider) provider.Provider
	}{
		"nothing is done": {"create, update and delete", toy.Options{}, func(p provider.Provider) provider.Provider {
			return spoiled{Provider: p, apply: func(_ context.Context, _ *provider.Session, _ provider.Place, changes []provider.Change) []provider.Result {
				results := make([]provider.Result, len(changes))
				for i := range results {
					results[i] = provider.Result{Outcome: provider.Done, Entry: provider.Entry{Name: changes[i].Name}}
				}
				return results
			}}
		}},
		"a change that was made is failed": {"a full batch", toy.Options{}, each(func(_ provider.Change, r *provider.Result) {
			*r = provider.Result{Outcome: provider.Failed, Err: &outbound.Error{Class: outbound.Invalid}}
		})},
		"results in another order": {"one call makes changes of every kind and returns results in their order", toy.Options{}, func(p provider.Provider) provider.Provider {
			return spoiled{Provider: p, apply: func(ctx context.Context, s *provider.Session, place provider.Place, changes []provider.Change) []provider.Result {
				results := p.Apply(ctx, s, place, changes)
				slices.Reverse(results)
				if len(results) > 1 {
					results[0].Outcome, results[0].Err = provider.Failed, &outbound.Error{Class: outbound.Invalid}
				}
				return results
			}}
		}},
		"a result is missing": {"a full batch", toy.Options{}, func(p provider.Provider) provider.Provider {
			return spoiled{Provider: p, apply: func(ctx context.Context, s *provider.Session, place provider.Place, changes []provider.Change) []provider.Result {
				return p.Apply(ctx, s, place, changes)[1:]
			}}
		}},
		"no version is returned":             {"Apply returns entries as List does", toy.Options{}, each(func(_ provider.Change, r *provider.Result) { r.Entry.Version = "" })},
		"the value given is cleared":         {"create, update and delete", toy.Options{}, each(func(c provider.Change, _ *provider.Result) { clear(c.Value) })},
		"values lose the spaces around them": {"values of arbitrary text arrive unchanged", toy.Options{}, before(func(c *provider.Change) { c.Value = bytes.TrimSpace(c.Value) })},
		"values become text":                 {"values of arbitrary bytes arrive unchanged", toy.Options{}, before(func(c *provider.Change) { c.Value = bytes.ToValidUTF8(c.Value, []byte("?")) })},
		"a longer value is truncated":        {"the largest value is accepted and a larger one rejected", toy.Options{}, before(func(c *provider.Change) { c.Value = c.Value[:min(len(c.Value), 4096)] })},
		"declared limits are not enforced":   {"the longest name is accepted and a longer one rejected", toy.Options{Limits: &provider.Limits{}}, declaring(usualLimits)},
		"the rule for names is not enforced": {"names that violate the rule are rejected", toy.Options{Limits: &provider.Limits{}}, declaring(usualLimits)},
		"nothing is compared":                {"creating an entry that others created is a conflict", toy.Options{Incomparable: true}, declaring(comparing)},
		"versions are not compared":          {"writing and deleting an entry that others changed is a conflict", toy.Options{Incomparable: true}, declaring(comparing)},
		"a deleted entry is written again":   {"writing an entry that others deleted is a conflict", toy.Options{Incomparable: true}, declaring(comparing)},
		"a conflict ends the batch": {"a conflict does not affect the other changes", toy.Options{}, func(p provider.Provider) provider.Provider {
			return spoiled{Provider: p, apply: func(ctx context.Context, s *provider.Session, place provider.Place, changes []provider.Change) []provider.Result {
				results := p.Apply(ctx, s, place, changes[:min(2, len(changes))])
				for range changes[len(results):] {
					results = append(results, provider.Result{Outcome: provider.Skipped, Err: &outbound.Error{Class: outbound.Conflict}})
				}
				return results
			}}
		}},
		"deleting a deleted entry fails": {"deleting a deleted entry is done", toy.Options{}, each(func(c provider.Change, r *provider.Result) {
			if c.Delete {
				*r = provider.Result{Outcome: provider.Failed, Err: &outbound.Error{Class: outbound.NotFound}}
			}
		})},
		"the entries of others are removed": {"entries of others are kept", toy.Options{}, func(p provider.Provider) provider.Provider {
			return spoiled{Provider: p, apply: func(ctx context.Context, s *provider.Session, place provider.Place, changes []provider.Change) []provider.Result {
				results := p.Apply(ctx, s, place, changes)
				entries, _ := p.List(ctx, s, place)
				for _, e := range entries {
					if !slices.ContainsFunc(changes, func(c provider.Change) bool { return c.Name == e.Name }) {
						p.Apply(ctx, s, place, []provider.Change{{Name: e.Name, Delete: true, Expect: &e}})
					}
				}
				return results
			}}
		}},
		"the entries of others are hidden": {"list returns the entries of others, sorted, and changes nothing", toy.Options{}, listing(func(entries []provider.Entry, err error) ([]provider.Entry, error) {
			return entries[:len(entries)/2], err
		})},
		"a list is not sorted": {"list returns the entries of others, sorted, and changes nothing", toy.Options{}, listing(func(entries []provider.Entry, err error) ([]provider.Entry, error) {
			slices.Reverse(entries)
			return entries, err
		})},
		"a missing place is empty": {"a missing place is not_found or invalid, with a hint", toy.Options{}, listing(func(entries []provider.Entry, _ error) ([]provider.Entry, error) {
			return entries, nil
		})},
		"a rejected credential has another class": {"a rejected credential is an error of class auth, with a hint", toy.Options{}, listing(func(entries []provider.Entry, err error) ([]provider.Entry, error) {
			if err != nil {
				err = &outbound.Error{Class: outbound.Provider, Hint: "try again"}
			}
			return entries, err
		})},
		"an error without a hint": {"a rejected credential is an error of class auth, with a hint", toy.Options{}, listing(func(entries []provider.Entry, err error) ([]provider.Entry, error) {
			if err != nil {
				err = &outbound.Error{Class: outbound.Auth, Provider: "toy", Operation: "list"}
			}
			return entries, err
		})},
		"an error contains the value": {"the largest value is accepted and a larger one rejected", toy.Options{}, each(func(c provider.Change, r *provider.Result) {
			if r.Err != nil {
				r.Err = fmt.Errorf("value %s: %w", c.Value[:20], r.Err)
			}
		})},
		"a missing entry is read as empty": {"values are read back", toy.Options{}, func(p provider.Provider) provider.Provider {
			return spoiled{Provider: p, read: func(values []provider.Value, names []string) []provider.Value {
				for _, name := range names[:min(1, len(names))] {
					values = append(values, provider.Value{Name: name})
				}
				return values
			}}
		}},
		"Look returns a missing entry": {"Look returns entries as List does", toy.Options{}, func(p provider.Provider) provider.Provider {
			return spoiled{Provider: p, look: func(entries []provider.Entry, names []string) []provider.Entry {
				for _, name := range names[:min(1, len(names))] {
					entries = append(entries, provider.Entry{Name: name})
				}
				return entries
			}}
		}},
		"Look returns another version": {"Look returns entries as List does", toy.Options{}, func(p provider.Provider) provider.Provider {
			return spoiled{Provider: p, look: func(entries []provider.Entry, _ []string) []provider.Entry {
				for i := range entries {
					entries[i].Version = ""
				}
				return entries
			}}
		}},
		"a missing permission is not reported": {"a missing permission is reported and does prevent changes", toy.Options{}, func(p provider.Provider) provider.Provider {
			return spoiled{Provider: p, lacks: func([]string) []string { return nil }}
		}},
		"a missing permission is always reported": {"a sufficient credential lacks nothing", toy.Options{}, func(p provider.Provider) provider.Provider {
			return spoiled{Provider: p, lacks: func([]string) []string { return []string{"luck"} }}
		}},
		"the end of a context is ignored": {"an ended context sends nothing", toy.Options{}, func(p provider.Provider) provider.Provider {
			return spoiled{Provider: p, ignore: true}
		}},
		"another declaration on every call": {"declaration is the same on every call", toy.Options{}, declaring(func(d *provider.Declaration) {
			declared++
			d.Title = fmt.Sprint("Toy ", declared)
		})},
		"help of two lines": {"help starts with a short sentence", toy.Options{}, declaring(func(d *provider.Declaration) { d.Help = "A box.\nOf toys." })},
		"another object": {"an entry is written to the declared object", toy.Options{}, declaring(func(d *provider.Declaration) {
			d.Destinations[0].Object = func(at provider.Target, _ provider.Granularity) provider.ServiceObject {
				return provider.ServiceObject{Path: at.Path}
			}
		})},
		"names of several segments": {"names of entries that are objects have no slash", toy.Options{}, declaring(func(d *provider.Declaration) {
			d.Destinations[0].Limits.Name = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_/]*$`)
		})},
		"content of others is lost": {"a change that would lose content of others is a conflict", toy.Options{}, before(func(c *provider.Change) { c.Replace = true })},
		"a normal form that changes again": {"normal forms are valid and stay as they are", toy.Options{}, declaring(func(d *provider.Declaration) {
			d.Destinations[0].Fields[0].Normal = func(text string) string { return text + "x" }
		})},
		"a secret of another form": {"secret fields accept no line break of a file", toy.Options{}, declaring(func(d *provider.Declaration) {
			d.Auth[0].Fields[0].Check = func(any) error { return errors.New("must be another one") }
		})},
		"an invalid field": {"declaration is valid", toy.Options{}, declaring(func(d *provider.Declaration) { d.Fields[0].Name = "Address" })},
		"no example":       {"required settings have a valid example", toy.Options{}, declaring(func(d *provider.Declaration) { d.Destinations[0].Fields[0].Example = "" })},
	} {
		t.Run(mistake, func(t *testing.T) {
			if fails(t, c.check, toyParty(c.options, provider.Key, nil)) {
				t.Fatal("the check fails without the mistake")
			}
			if !fails(t, c.check, toyParty(c.options, provider.Key, c.spoil)) {
				t.Error("the check passes with the mistake")
			}
		})
	}
}

func usualLimits(d *provider.Declaration) { d.Destinations[0].Limits = toy.DefaultLimits() }

func comparing(d *provider.Declaration) { d.Destinations[0].Compares = true }
