// Package toy is a provider that keeps its entries in memory, for tests of what works with providers: of the conformance suite, and of
// the engine. It declares a field of every type, both granularities and two auth kinds, so that all that derives from a declaration
// shows, and it needs no network.
//
//	toys, server := toy.New()
//	registry, err := provider.NewRegistry(toys)
//
// The server outlives the engine that talks to it: what it holds, and how many calls it has had, is there after a restart. With
// OnCall a test has the n-th call fail, with its effect or without, or hang.
package toy

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

// Names of what the toy declares.
const (
	Name        = "toy"
	Destination = "toy-shelf"
	AuthKey     = "key"  // secret field: key
	AuthPair    = "pair" // field: account; secret field: password
)

// Nowhere is the name of a shelf that does not exist. All others do.
const Nowhere = "nowhere"

// Options make a toy that is not the usual one.
type Options struct {
	ReadBack     provider.ReadBack // ReadBackValue
	Limits       *provider.Limits  // DefaultLimits
	Batch        int               // 10
	Incomparable bool              // Change.Expect is not looked at
	Fold         func(string) string
}

// DefaultLimits are those of the usual toy.
func DefaultLimits() provider.Limits {
	return provider.Limits{
		MaxEntries: 10_000, MaxValueBytes: 4096, MaxNameBytes: 64,
		Name: regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`), NameRule: "letters, digits and '_', not beginning with a digit",
		Reserved: []string{"TOY_"},
	}
}

// New makes a provider and the server it talks to.
func New() (provider.Provider, *Server) { return Options{}.New() }

// New makes a provider and the server it talks to.
func (o Options) New() (provider.Provider, *Server) {
	if o.ReadBack == "" {
		o.ReadBack = provider.ReadBackValue
	}
	if o.Limits == nil {
		usual := DefaultLimits()
		o.Limits = &usual
	}
	if o.Batch == 0 {
		o.Batch = 10
	}
	server := newServer(o)
	if o.ReadBack == provider.ReadBackValue {
		return reader{toy{server}}, server
	}
	return toy{server}, server
}

type toy struct{ *Server }

// reader is the toy whose values can be read back.
type reader struct{ toy }

var (
	_ provider.Provider = toy{}
	_ provider.Looker   = toy{}
	_ provider.Checker  = toy{}
	_ provider.Reader   = reader{}
)

// Declare answers the declaration.
func (t toy) Declare() provider.Declaration {
	return provider.Declaration{
		Name: Name, Title: "Toy", Help: "A box of shelves in memory. It is there for tests.",
		Fields: []provider.Field{
			{
				Name: "address", Endpoint: provider.EndpointURL, Default: "https://toys.example.com", Example: "https://toys.example.com",
				Help: "URL of the box. Nothing is sent there.",
			},
			{Name: "region", Endpoint: provider.EndpointText, Choices: []string{"eu", "us"}, Default: "eu", Help: "Part of the world that the box stands in."},
			{Name: "read_only", Type: provider.Flag, Help: "Refuse every change, as a box does for those who may only look."},
			{Name: "page_size", Type: provider.Whole, Default: 100, Check: checkPageSize, Help: "Entries of one page, 1 to 1000. The box has one page."},
			{Name: "labels", Type: provider.Words, Help: "Words that stand on the box."},
		},
		Auth: []provider.AuthKind{
			{Name: AuthKey, Help: "The key of the box.", Fields: []provider.Field{{Name: "key", Secret: true, Required: true, Help: "The key. Server.Key answers it."}}},
			{Name: AuthPair, Help: "An account and its password.", Fields: []provider.Field{
				{Name: "account", Required: true, Endpoint: provider.EndpointText, Example: "ada", Help: "Name of the account."},
				{Name: "password", Secret: true, Required: true, Help: "The password. It is the key."},
			}},
		},
		Destinations: []provider.Destination{t.destination()},
		Client:       provider.Client{Concurrency: 2},
	}
}

func (t toy) destination() provider.Destination {
	return provider.Destination{
		Name: Destination, Title: "Toy shelf", Help: "A shelf of the box. Each entry has a place on it.",
		Fields: []provider.Field{
			{Name: "shelf", Required: true, Fixed: true, Example: "top", Help: "Name of the shelf. All exist but `" + Nowhere + "`.", Check: checkShelf},
			{Name: "visibility", Choices: []string{"all", "private"}, Default: "all", Help: "Who may look at the shelf."},
			{Name: "glass", Type: provider.Flag, Help: "Whether the shelf has a door of glass."},
			{Name: "height", Type: provider.Whole, Help: "Height of the shelf in centimetres."},
			{Name: "readers", Type: provider.Words, Help: "Who else may look at the shelf."},
		},
		Granularities: []provider.Granularity{provider.Key, provider.Bundle},
		ReadBack:      t.options.ReadBack,
		Limits:        *t.options.Limits,
		Compares:      !t.options.Incomparable,
		Looks:         true,
		Checks:        true,
		Batch:         t.options.Batch,
		Fold:          t.options.Fold,
		Target: func(integration, destination provider.Values) provider.Target {
			return provider.Target{Host: integration.Text("address") + " " + integration.Text("region"), Path: destination.Text("shelf")}
		},
	}
}

func checkPageSize(value any) error {
	if n, _ := value.(int); n < 1 || n > 1000 {
		return errors.New("must be 1 to 1000")
	}
	return nil
}

func checkShelf(value any) error {
	if name, _ := value.(string); strings.ContainsAny(name, " /") {
		return errors.New("must be a word")
	}
	return nil
}

// Verify asks the box whose key it is.
func (t toy) Verify(ctx context.Context, s *provider.Session) (provider.Identity, error) {
	err := t.call(ctx, s, Call{Operation: Verify}, func() error { return nil })
	if err != nil {
		return provider.Identity{}, err
	}
	return provider.Identity{Account: "ada", Scopes: []string{"read", "write"}, Detail: map[string]string{"region": s.Settings.Text("region")}}, nil
}

// List answers what stands on a shelf.
func (t toy) List(ctx context.Context, s *provider.Session, at provider.Place) ([]provider.Entry, error) {
	var entries []provider.Entry
	shelf := at.Settings.Text("shelf")
	err := t.call(ctx, s, Call{Operation: List, Shelf: shelf}, func() (err error) {
		entries, err = t.list(shelf, at.Granularity)
		return err
	})
	return entries, err
}

// Look answers which of the entries named stand on a shelf.
func (t toy) Look(ctx context.Context, s *provider.Session, at provider.Place, names []string) ([]provider.Entry, error) {
	var entries []provider.Entry
	shelf := at.Settings.Text("shelf")
	err := t.call(ctx, s, Call{Operation: Look, Shelf: shelf}, func() (err error) {
		entries, err = t.look(shelf, at.Granularity, names)
		return err
	})
	return entries, err
}

// Lacks says of a box that may only be looked at that it is one.
func (t toy) Lacks(ctx context.Context, s *provider.Session, at provider.Place, _ string) ([]string, error) {
	if _, err := t.Look(ctx, s, at, nil); err != nil {
		return nil, err
	}
	if s.Settings.Flag("read_only") {
		return []string{"the right to change anything, for the box is read_only"}, nil
	}
	return nil, nil
}

// Read answers values from a shelf.
func (r reader) Read(ctx context.Context, s *provider.Session, at provider.Place, names []string) ([]provider.Value, error) {
	var values []provider.Value
	shelf := at.Settings.Text("shelf")
	err := r.call(ctx, s, Call{Operation: Read, Shelf: shelf}, func() (err error) {
		values, err = r.read(shelf, names)
		return err
	})
	return values, err
}

// Apply changes a shelf: in granularity Key by one call for each entry, in Bundle by one for all.
func (t toy) Apply(ctx context.Context, s *provider.Session, at provider.Place, changes []provider.Change) []provider.Result {
	results := make([]provider.Result, len(changes))
	shelf := at.Settings.Text("shelf")
	if at.Granularity == provider.Bundle {
		err := t.call(ctx, s, Call{Operation: Write, Shelf: shelf}, func() error {
			if shelf == Nowhere {
				return nowhere()
			}
			for i, c := range changes {
				results[i] = resultOf(t.change(shelf, at.Granularity, c))
			}
			return nil
		})
		if err == nil {
			return results
		}
		failed := provider.FailedWith(err)
		if failed.Outcome != provider.Unknown {
			return provider.SkipRest(results, err)
		}
		// The response was lost, so the outcome of every change is unknown.
		for i := range results {
			results[i] = failed
		}
		return results
	}
	for i, c := range changes {
		call := Call{Operation: Write, Shelf: shelf, Name: c.Name}
		if c.Delete {
			call.Operation = Delete
		}
		err := t.call(ctx, s, call, func() error {
			entry, err := t.change(shelf, at.Granularity, c)
			results[i] = resultOf(entry, err)
			return err
		})
		if err == nil {
			continue
		}
		results[i] = provider.FailedWith(err)
		if provider.EndsBatch(outbound.ClassOf(err)) {
			return provider.SkipRest(results, err)
		}
	}
	return results
}

// resultOf is the result of a change.
func resultOf(entry provider.Entry, err error) provider.Result {
	if err != nil {
		return provider.FailedWith(err)
	}
	return provider.Result{Outcome: provider.Done, Entry: entry}
}

func refuse(class outbound.Class, operation, hint string) error {
	return &outbound.Error{Class: class, Provider: Name, Operation: operation, Hint: hint}
}

func nowhere() error {
	return refuse(outbound.NotFound, "look at the shelf", fmt.Sprintf("every shelf exists but %q", Nowhere))
}
