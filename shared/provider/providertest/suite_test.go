package providertest

import (
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
)

func TestToy(t *testing.T) {
	for name, o := range map[string]toy.Options{
		"usual":     {},
		"times":     {ReadBack: provider.ReadBackTimestamp},
		"blind":     {ReadBack: provider.ReadBackNone, Incomparable: true},
		"small":     {Limits: &provider.Limits{MaxEntries: 40, NoEmptyValue: true, TextOnly: true}, Batch: 1},
		"folding":   {Fold: upper},
		"no limits": {Limits: &provider.Limits{}},
	} {
		for _, granularity := range []provider.Granularity{provider.Key, provider.Bundle} {
			t.Run(name+"/"+string(granularity), func(t *testing.T) { Run(t, toyParty(o, granularity, nil)) })
		}
	}
}
