package archtest

import (
	"slices"
	"strings"
	"testing"
)

// importers says who may import a package outside tests. A package that is not named here may be imported by all that the layers
// allow.
var importers = map[string][]string{
	// Plaintext keys exist only inside keyring; keys opens and keeps rings, secrets seals and opens values with them,
	// encryption does so for the tenant's own services, credseal
	// for what integrations prove themselves with, ledger for what syncs have written.
	"shared/keyring": {
		"vault-plugin/internal/encryption", "vault-plugin/internal/credseal", "vault-plugin/internal/keys", "vault-plugin/internal/ledger",
		"vault-plugin/internal/secrets",
	},
}

// forbidden says what a folder may import neither in its code nor in its tests.
var forbidden = map[string][]string{
	"shared":             {module + "/vault-plugin", module + "/terraform-provider"},
	"vault-plugin":       {module + "/terraform-provider"},
	"terraform-provider": {module + "/vault-plugin"},
	"shared/provider":    {"github.com/hashicorp/vault/sdk"},
}

func TestArrowsPointDown(t *testing.T) {
	own, _ := packages(t)
	for _, p := range own {
		for dir, paths := range forbidden {
			if !below(p.rel(), dir) {
				continue
			}
			for _, imported := range p.allImports() {
				if slices.ContainsFunc(paths, func(f string) bool { return below(imported, f) }) {
					t.Errorf("%s imports %s", p.rel(), imported)
				}
			}
		}
	}
}

func TestOnlyTheListedImport(t *testing.T) {
	own, _ := packages(t)
	for owner, allowed := range importers {
		for _, p := range own {
			if below(p.rel(), owner) || support(p.rel()) || slices.Contains(allowed, p.rel()) {
				continue
			}
			if slices.ContainsFunc(p.Imports, func(i string) bool { return ours(i) && below(relative(i), owner) }) {
				t.Errorf("%s imports %s: if it must, its name goes into the table of this test", p.rel(), owner)
			}
		}
		for _, user := range allowed {
			if p, ok := own[module+"/"+user]; !ok || !slices.Contains(p.Imports, module+"/"+owner) {
				t.Errorf("%s no longer imports %s: its name leaves the table of this test", user, owner)
			}
		}
	}
}

// What serves tests obeys no rule about storage, network or keys, so nothing of it may end up in a program. (tools/bench, in a
// module of its own, uses some of it.)
func TestTestSupportStaysInTests(t *testing.T) {
	own, _ := packages(t)
	for _, p := range own {
		if support(p.rel()) {
			continue
		}
		for _, imported := range p.Imports {
			if ours(imported) && support(relative(imported)) {
				t.Errorf("%s imports %s outside its tests", p.rel(), imported)
			}
		}
	}
}

func TestKeyringStandsAlone(t *testing.T) {
	own, _ := packages(t)
	p, ok := own[module+"/shared/keyring"]
	if !ok {
		t.Fatal("shared/keyring is gone: the test shows nothing")
	}
	for _, path := range append(slices.Clone(p.Deps), p.allImports()...) {
		switch {
		case ours(path) && !below(relative(path), "shared/keyring"):
			t.Errorf("shared/keyring needs %s of the project", path)
		case strings.HasPrefix(path, "github.com/hashicorp/vault"):
			t.Errorf("shared/keyring needs %s of Vault", path)
		}
	}
}

// A provider that knew another could not be removed, or tested, by itself.
func TestProvidersDoNotKnowEachOther(t *testing.T) {
	const providers = "shared/provider"
	own, _ := packages(t)
	for _, p := range own {
		name := provider(p.rel(), providers)
		if name == "" {
			continue
		}
		for _, imported := range p.Imports {
			other := provider(relative(imported), providers)
			if ours(imported) && other != "" && other != name && other != "providertest" {
				t.Errorf("%s imports %s", p.rel(), imported)
			}
		}
	}
}

// provider is the folder of a provider that a package belongs to: "github" for shared/provider/github/githubtest.
func provider(rel, providers string) string {
	name, inside := strings.CutPrefix(rel, providers+"/")
	if !inside {
		return ""
	}
	name, _, _ = strings.Cut(name, "/")
	return name
}
