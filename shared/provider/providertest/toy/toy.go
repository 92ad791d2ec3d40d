// Package toy is a provider that stores its entries in memory. It is meant for tests of code that
// uses providers: of the conformance suite and of the engine. It declares a field of every type,
// both granularities and two auth kinds, so that everything that is derived from a declaration
// occurs. It needs no network.
//
//	toys, server := toy.New()
//	registry, err := provider.NewRegistry(toys)
//
// The server outlives the engine that uses it: its entries and its calls are kept across restarts
// of the engine. With OnCall, a test makes the n-th call fail, with or without effect, or hang.
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

// Names in the declaration of the toy.
const (
	Name        = "toy"
	Destination = "toy-shelf"
	AuthKey     = "key"  // secret field: key
	AuthPair    = "pair" // field: account; secret field: password
)

// Nowhere is the name of the only shelf that does not exist.
const Nowhere = "nowhere"

// Options configure a toy. The comment of each field names its default.
type Options struct {
	ReadBack     provider.ReadBack // ReadBackValue
	Limits       *provider.Limits  // DefaultLimits
	Batch        int               // 10
	Incomparable bool              // Change.Expect is ignored
	Fold         func(string) string
}

// DefaultLimits returns the limits of a toy without Options.Limits.
func DefaultLimits() provider.Limits {
	return provider.Limits{
		MaxEntries: 10_000, MaxValueBytes: 4096, MaxNameBytes: 64,
		Name: regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`), NameRule: "letters, digits and '_', not beginning with a digit",
		Reserved: []string{"TOY_"},
	}
}

// New returns a provider and the server that it uses.
func New() (provider.Provider, *Server) { return Options{}.New() }

// New returns a provider and the server that it uses.
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

// reader is a toy whose values can be read back.
type reader struct{ toy }

var (
	_ provider.Provider = toy{}
	_ provider.Looker   = toy{}
	_ provider.Checker  = toy{}
	_ provider.Reader   = reader{}
)

// Declare returns the declaration.
func (t toy) Declare() provider.Declaration {
	return provider.Declaration{
		Name: Name, Title: "Toy", Help: "A box of shelves in memory. It is meant for tests.",
		Fields: []provider.Field{
			{
				Name: "address", Endpoint: provider.EndpointURL, Default: "https://toys.example.com", Example: "https://toys.example.com",
				Help: "URL of the box. Nothing is sent there.",
			},
			{Name: "region", Endpoint: provider.EndpointText, Choices: []string{"eu", "us"}, Default: "eu", Help: "Region of the box."},
			{Name: "read_only", Type: provider.Flag, Help: "Reject every change, like a box with read access only."},
			{Name: "page_size", Type: provider.Whole, Default: 100, Check: checkPageSize, Help: "Entries per page, 1 to 1000. The box has one page."},
			{Name: "labels", Type: provider.Words, Help: "Labels on the box."},
		},
		Auth: []provider.AuthKind{
			{Name: AuthKey, Help: "The key of the box.", Fields: []provider.Field{{Name: "key", Secret: true, Required: true, Help: "The key. Server.Key returns it."}}},
			{Name: AuthPair, Help: "An account and its password.", Fields: []provider.Field{
				{Name: "account", Required: true, Endpoint: provider.EndpointText, Example: "ada", Help: "Name of the account."},
				{Name: "password", Secret: true, Required: true, Help: "The password. It equals the key of the box."},
			}},
		},
		Destinations: []provider.Destination{t.destination()},
		Client:       provider.Client{Concurrency: 2},
	}
}

func (t toy) destination() provider.Destination {
	return provider.Destination{
		Name: Destination, Title: "Toy shelf", Help: "A shelf of the box. It holds the entries.",
		Fields: []provider.Field{
			{Name: "shelf", Required: true, Fixed: true, Example: "top", Help: "Name of the shelf. Every shelf exists except `" + Nowhere + "`.", Check: checkShelf},
			{Name: "visibility", Choices: []string{"all", "private"}, Default: "all", Help: "Who can see the shelf."},
			{Name: "glass", Type: provider.Flag, Help: "Whether the shelf has a glass door."},
			{Name: "height", Type: provider.Whole, Help: "Height of the shelf in centimetres."},
			{Name: "readers", Type: provider.Words, Help: "Who else can see the shelf."},
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
		Object: func(at provider.Target, g provider.Granularity) provider.ServiceObject {
			return provider.ServiceObject{Path: at.Path, PerEntry: g == provider.Key}
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

// Verify returns the owner of the key.
func (t toy) Verify(ctx context.Context, s *provider.Session) (provider.Identity, error) {
	err := t.call(ctx, s, Call{Operation: Verify}, func() error { return nil })
	if err != nil {
		return provider.Identity{}, err
	}
	return provider.Identity{Account: "ada", Scopes: []string{"read", "write"}, Detail: map[string]string{"region": s.Settings.Text("region")}}, nil
}

// List returns the entries on a shelf.
func (t toy) List(ctx context.Context, s *provider.Session, place provider.Place) ([]provider.Entry, error) {
	var entries []provider.Entry
	shelf := place.Settings.Text("shelf")
	err := t.call(ctx, s, Call{Operation: List, Shelf: shelf}, func() (err error) {
		entries, err = t.list(shelf, place.Granularity)
		return err
	})
	return entries, err
}

// Look returns the named entries that exist on a shelf.
func (t toy) Look(ctx context.Context, s *provider.Session, place provider.Place, names []string) ([]provider.Entry, error) {
	var entries []provider.Entry
	shelf := place.Settings.Text("shelf")
	err := t.call(ctx, s, Call{Operation: Look, Shelf: shelf}, func() (err error) {
		entries, err = t.look(shelf, place.Granularity, names)
		return err
	})
	return entries, err
}

// Lacks reports the missing permission of a box that is read_only.
func (t toy) Lacks(ctx context.Context, s *provider.Session, place provider.Place, _ string) ([]string, error) {
	if _, err := t.Look(ctx, s, place, nil); err != nil {
		return nil, err
	}
	if s.Settings.Flag("read_only") {
		return []string{"permission to change entries, because the box is read_only"}, nil
	}
	return nil, nil
}

// Read returns the values of the named entries on a shelf.
func (r reader) Read(ctx context.Context, s *provider.Session, place provider.Place, names []string) ([]provider.Value, error) {
	var values []provider.Value
	shelf := place.Settings.Text("shelf")
	err := r.call(ctx, s, Call{Operation: Read, Shelf: shelf}, func() (err error) {
		values, err = r.read(shelf, names)
		return err
	})
	return values, err
}

// Apply makes changes on a shelf: with one call per entry in granularity Key, and with one call for
// all entries in Bundle.
func (t toy) Apply(ctx context.Context, s *provider.Session, place provider.Place, changes []provider.Change) []provider.Result {
	results := make([]provider.Result, len(changes))
	shelf := place.Settings.Text("shelf")
	if place.Granularity == provider.Bundle {
		err := t.call(ctx, s, Call{Operation: Write, Shelf: shelf}, func() error {
			if shelf == Nowhere {
				return nowhere()
			}
			for i, c := range changes {
				results[i] = resultOf(t.change(shelf, place.Granularity, c))
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
			entry, err := t.change(shelf, place.Granularity, c)
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

// resultOf returns the result of a change.
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
	return refuse(outbound.NotFound, "look up the shelf", fmt.Sprintf("every shelf exists except %q", Nowhere))
}
