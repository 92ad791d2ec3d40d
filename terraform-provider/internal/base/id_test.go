package base

import (
	"slices"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/names"
)

func TestParseID(t *testing.T) {
	keys := []Key{Workspace(), {Name: "name"}}
	cases := []struct {
		name, id string
		keys     []Key
		want     place
		err      string
	}{
		{"names", "acme/api", keys, place{names: []string{"acme", "api"}}, ""},
		{"with a namespace", "team/a::acme/api", keys, place{namespace: "team/a", names: []string{"acme", "api"}}, ""},
		{"too few parts", "acme", keys, place{}, "the id has the wrong number of parts (1); an id is <workspace>/<name>, or <namespace>::<workspace>/<name>"},
		{"too many parts", "a/b/c", keys, place{}, "the id has the wrong number of parts (3)"},
		{"an empty part", "acme/", keys, place{}, "name: not a valid name; it must be 1 to 64 characters"},
		{"a part that changes the path", "acme/..", keys, place{}, "name: not a valid name; it must be 1 to 64 characters"},
		{"a reserved word", "rotate/api", keys, place{}, `workspace: "rotate" is a reserved word`},
		{"a part that is valid for secrets only", "acme/API_KEY", keys, place{}, "name: not a valid name"},
		{"the name of a secret", "acme/API_KEY", []Key{Workspace(), {Name: "name", Kind: names.Secret}}, place{names: []string{"acme", "API_KEY"}}, ""},
		{"an empty namespace", "::acme/api", keys, place{}, "the namespace before"},
		{"a singleton", "config", nil, place{}, ""},
		{"a singleton in a namespace", "team::config", nil, place{namespace: "team"}, ""},
		{"a singleton under another name", "other", nil, place{}, `is "config"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseID(c.id, c.keys)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("%v, want %q", err, c.err)
				}
				return
			}
			if err != nil || got.namespace != c.want.namespace || !slices.Equal(got.names, c.want.names) {
				t.Fatalf("%+v (%v)", got, err)
			}
			if got.id() != c.id {
				t.Errorf("the id of the result is %q", got.id())
			}
		})
	}
}

// Every id that parses is the only id of its object.
func FuzzParseID(f *testing.F) {
	for _, seed := range []string{"acme/api", "ns::acme/api", "a::b::c/d", "/", "", "a/..", "config"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		for _, keys := range [][]Key{nil, {Workspace(), {Name: "name"}}} {
			if at, err := parseID(id, keys); err == nil && at.id() != id {
				t.Fatalf("%q is %+v, whose id is %q", id, at, at.id())
			}
		}
	})
}
