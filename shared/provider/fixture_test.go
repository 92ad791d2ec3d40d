package provider_test

import (
	"context"
	"errors"
	"regexp"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

// stub is a provider with nothing but a declaration.
type stub struct{ declaration provider.Declaration }

func (s stub) Declare() provider.Declaration { return s.declaration }

func (stub) Verify(context.Context, *provider.Session) (provider.Identity, error) {
	return provider.Identity{}, nil
}

func (stub) List(context.Context, *provider.Session, provider.Place) ([]provider.Entry, error) {
	return nil, nil
}

func (stub) Apply(context.Context, *provider.Session, provider.Place, []provider.Change) []provider.Result {
	return nil
}

// reading is a stub that implements Reader.
type reading struct{ stub }

func (reading) Read(context.Context, *provider.Session, provider.Place, []string) ([]provider.Value, error) {
	return nil, nil
}

// looking is a stub that implements Looker.
type looking struct{ stub }

func (looking) Look(context.Context, *provider.Session, provider.Place, []string) ([]provider.Entry, error) {
	return nil, nil
}

// checking is a stub that implements Checker.
type checking struct{ stub }

func (checking) Lacks(context.Context, *provider.Session, provider.Place, string) ([]string, error) {
	return nil, nil
}

// declaration returns a valid declaration.
func declaration() provider.Declaration {
	return provider.Declaration{
		Name: "box", Title: "Box", Help: "A box.",
		Fields: []provider.Field{
			{Name: "address", Help: "URL of the box. Any box will do.", Required: true, Endpoint: provider.EndpointURL, Example: "https://box.example.com"},
			{Name: "namespace", Help: "Part of the box.", Endpoint: provider.EndpointText},
			{Name: "tls_server_name", Help: "Name in the certificate of the box.", Endpoint: provider.EndpointText},
			{Name: "ca_pem", Help: "Trusted certificates.", Endpoint: provider.EndpointPEM},
			{Name: "page_size", Help: "Entries of a page.", Type: provider.Whole, Default: 100, Check: atLeastOne},
			{Name: "colour", Help: "Colour of the box.", Choices: []string{"red", "blue"}, Default: "red"},
			{Name: "labels", Help: "Words on the box.", Type: provider.Words, Default: []string{"box"}},
			{Name: "open", Help: "Whether the box is open.", Type: provider.Flag},
		},
		Auth: []provider.AuthKind{
			{Name: "token", Help: "A token.", Fields: []provider.Field{{Name: "token", Help: "The token.", Secret: true, Required: true}}},
			{Name: "pair", Help: "A pair.", Fields: []provider.Field{
				{Name: "account", Help: "Name of the account.", Required: true, Endpoint: provider.EndpointText}, {Name: "password", Help: "The password.", Secret: true},
			}},
		},
		Destinations: []provider.Destination{{
			Name: "box-shelf", Title: "Shelf", Help: "A shelf.",
			Fields:        []provider.Field{{Name: "shelf", Help: "Name of the shelf.", Required: true}},
			Granularities: []provider.Granularity{provider.Key},
			ReadBack:      provider.ReadBackNone,
			Limits:        provider.Limits{Name: regexp.MustCompile(`^[a-z]+$`), NameRule: "letters"},
			Batch:         1,
			Target:        func(_, d provider.Values) provider.Target { return provider.Target{Path: d.Text("shelf")} },
			Object: func(at provider.Target, _ provider.Granularity) provider.ServiceObject {
				return provider.ServiceObject{Path: at.Path}
			},
		}},
	}
}

func atLeastOne(value any) error {
	if n, _ := value.(int); n < 1 {
		return errors.New("must be at least 1")
	}
	return nil
}
