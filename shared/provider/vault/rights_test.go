package vault_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest"
	"github.com/stashbase/vault-stashbase/shared/provider/vault"
)

// Every missing rule is named. A rule for a folder is accepted with and without a trailing slash.
func TestLacksNamesEveryMissingCapability(t *testing.T) {
	for name, c := range map[string]struct {
		version     string
		granularity provider.Granularity
		rules       []string
		want        []string
	}{
		"no rule, version 2": {"2", provider.Key, nil, []string{
			"create, read, update on M/data/acme/api/NAME", "read, delete on M/metadata/acme/api/NAME", "list on M/metadata/acme/api",
		}},
		"a rule with a slash": {"2", provider.Key, []string{
			`data/acme/api/* = create, read, update`, `metadata/acme/api/* = read, list, delete`,
		}, nil},
		"a rule without a slash": {"2", provider.Key, []string{
			`data/acme/api/* = create, read`, `metadata/acme/api/+ = read`, `metadata/acme/api = list`,
		}, []string{"update on M/data/acme/api/NAME", "delete on M/metadata/acme/api/NAME"}},
		"a bundle":              {"2", provider.Bundle, []string{`data/acme/api = create, update`}, []string{"read on M/data/acme/api", "read on M/metadata/acme/api"}},
		"a bundle of version 1": {"1", provider.Bundle, []string{`acme/api = create, read, update`}, []string{"delete on M/acme/api"}},
		"secrets of version 1":  {"1", provider.Key, []string{`acme/api/* = create, read, update, delete`}, []string{"list on M/acme/api"}},
		"all capabilities":      {"1", provider.Key, []string{`* = create, read, update, delete, list`}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, c.version, c.granularity)
			lacks, err := b.lacks(lookUp + policyOf(b.mount, append(c.rules, "other = read")))
			for i := range lacks {
				lacks[i] = strings.ReplaceAll(lacks[i], b.mount, "M")
			}
			if err != nil || !slices.Equal(lacks, c.want) {
				t.Errorf("%q, %v; want %q", lacks, err, c.want)
			}
		})
	}
}

// policyOf returns a policy with rules such as `path = create, read`.
func policyOf(mount string, rules []string) string {
	var text strings.Builder
	for _, rule := range rules {
		path, capabilities, _ := strings.Cut(rule, " = ")
		fmt.Fprintf(&text, "\npath %q { capabilities = [\"%s\"] }", mount+"/"+path, strings.ReplaceAll(capabilities, ", ", `", "`))
	}
	return text.String()
}

func (b *bench) lacks(policy string) ([]string, error) {
	b.t.Helper()
	p := b.party()
	token := other.Server(b.t).ClientWithPolicy(b.t, policy).Token()
	session := providertest.Session(b.t, p.Provider, "token", p.Settings, map[string]string{"token": token})
	place := provider.Place{Destination: p.Destination, Granularity: b.granularity, Settings: p.Place}
	return vault.New().Lacks(b.t.Context(), session, place, "NAME")
}

// If a token may not look up its capabilities, listing shows whether it may list.
func TestLacksListsIfCapabilitiesAreHidden(t *testing.T) {
	b := newBench(t, "2", provider.Key)
	if lacks, err := b.lacks(fmt.Sprintf(policy, b.mount, b.path)); err != nil || len(lacks) != 0 {
		t.Errorf("%q, %v", lacks, err)
	}
	_, err := b.lacks(policyOf(b.mount, []string{"data/acme/api/* = create, read, update"}))
	if outbound.ClassOf(err) != outbound.Permission || !strings.Contains(err.Error(), "list on") {
		t.Errorf("the error is %v", err)
	}
}
