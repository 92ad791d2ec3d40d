package backend_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// silent is a toy that does not report the rights of a credential.
type silent struct {
	provider.Provider
	provider.Reader
	provider.Looker
}

func (u silent) Declare() provider.Declaration {
	d := u.Provider.Declare()
	d.Destinations[0].Checks = false
	return d
}

// used returns a mount whose integration is used by two syncs. The target of one of them does not
// exist.
func used(t *testing.T, reports bool) (*enginetest.Mount, *toy.Server) {
	t.Helper()
	toys, server := toy.New()
	if !reports {
		toys = silent{toys, toys.(provider.Reader), toys.(provider.Looker)}
	}
	registry, err := provider.NewRegistry(toys)
	if err != nil {
		t.Fatal(err)
	}
	m := enginetest.Setup{Providers: registry}.Open(t)
	m.Populate("acme", "api", "development")
	m.Write(integration, data{"key": server.Key(), "allowed_environments": "*", "allowed_targets": "*"})
	m.Write(aSync, data{"integration": "main", "shelf": "top"})
	m.Write("syncs/acme/api/development/toy-shelf/other", data{"integration": "main", "shelf": toy.Nowhere})
	return m, server
}

func lacksOf(m *enginetest.Mount) []string {
	var lacks []string
	phrases, _ := m.Write(integration+"/verify", nil)["lacks"].([]any)
	for _, p := range phrases {
		lacks = append(lacks, fmt.Sprint(p))
	}
	return lacks
}

func TestVerifyReturnsWhatIsLackingForEachSync(t *testing.T) {
	const (
		main, other = "api/development/toy-shelf/main", "api/development/toy-shelf/other"
		missing     = "sync " + other + ` cannot run with this integration: every shelf exists except "nowhere"`
	)
	for name, c := range map[string]struct {
		reports bool
		change  data
		want    []string
	}{
		"nothing":                       {true, nil, []string{missing}},
		"nothing that a list shows":     {false, data{"read_only": true}, []string{missing}},
		"a right":                       {true, data{"read_only": true}, []string{"for sync " + main + " the credential lacks permission to change entries, because the box is read_only", missing}},
		"a grant of the integration":    {true, data{"allowed_targets": "nowhere"}, []string{"sync " + main + " cannot run with this integration: allowed_targets of integration toy/main does not allow top", missing}},
		"another, for all environments": {true, data{"allowed_environments": "api/production"}, []string{"sync " + main + " cannot run with this integration: allowed_environments of integration toy/main does not allow api/development", "sync " + other + " cannot run with this integration: allowed_environments of integration toy/main does not allow api/development"}},
	} {
		t.Run(name, func(t *testing.T) {
			m, server := used(t, c.reports)
			if c.change["read_only"] != nil {
				c.change["key"] = server.Key()
			}
			m.Write(integration, c.change)
			if got := lacksOf(m); !slices.Equal(got, c.want) {
				t.Errorf("lacks %q\nwant  %q", got, c.want)
			}
			if failed := m.Read(integration)["last_error"]; failed != nil {
				t.Errorf("a missing right is recorded as a failure of the credential: %v", failed)
			}
			if truth := server.Truth("top"); len(truth) != 0 {
				t.Errorf("the shelf has %v", truth)
			}
		})
	}
}

// After the provider becomes unreachable, verify does not call it for every remaining sync.
func TestVerifyReportsThatItWasCutOff(t *testing.T) {
	m, server := used(t, true)
	server.OnCall(func(c toy.Call) toy.Fault {
		if c.Operation == toy.Look {
			return toy.Refused(outbound.RateLimited, 0)
		}
		return toy.Fault{}
	})
	_, looks := looked(server, func() {
		got := lacksOf(m)
		if len(got) != 1 || !strings.Contains(got[0], "api/development/toy-shelf/main and the syncs after it, 2 in total, were not checked: the test has set this fault") {
			t.Errorf("lacks %q", got)
		}
	})
	if looks != 1 {
		t.Errorf("%d looks", looks)
	}
	if failed, _ := m.Read(integration)["last_error"].(data); failed["class"] != "rate_limited" {
		t.Errorf("the failed use is reported as %v", failed)
	}
}

func TestVerifyChecksSomeOfManySyncs(t *testing.T) {
	m, server := used(t, true)
	for i := range 25 {
		m.Write(fmt.Sprintf("syncs/acme/api/development/toy-shelf/a%02d", i), data{"integration": "main", "shelf": fmt.Sprint("shelf", i)})
	}
	_, looks := looked(server, func() {
		if got := lacksOf(m); !slices.Equal(got, []string{"7 more syncs were not checked"}) {
			t.Errorf("lacks %q", got)
		}
	})
	if looks != 20 {
		t.Errorf("%d looks", looks)
	}
}
