package catalog_test

import (
	"slices"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/catalog"
)

func TestAllDeclarationsFitTogether(t *testing.T) {
	all, err := catalog.All()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(all.Names(), "vault") || !slices.Contains(all.Destinations(), "vault-kv") {
		t.Errorf("providers %q, destinations %q", all.Names(), all.Destinations())
	}
}
