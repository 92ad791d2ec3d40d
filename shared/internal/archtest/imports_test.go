package archtest

import (
	"slices"
	"strings"
	"testing"
)

// importers lists the packages that may import a package outside tests. A package that is not
// listed may be imported by every package that the layers permit.
var importers = map[string][]string{
	// Plaintext keys exist only inside keyring. keys opens and keeps the rings. secrets seals
	// values, credseal seals the credentials of integrations, and ledger seals what syncs have
	// written. encryption serves the tenant's own services.
	"shared/keyring": {
		"vault-plugin/internal/encryption", "vault-plugin/internal/credseal", "vault-plugin/internal/keys", "vault-plugin/internal/ledger",
		"vault-plugin/internal/secrets",
	},
}

// forbidden lists what the packages below a folder may not import, neither in code nor in tests.
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

func TestOnlyListedPackagesImport(t *testing.T) {
	own, _ := packages(t)
	for owner, allowed := range importers {
		for _, p := range own {
			if below(p.rel(), owner) || support(p.rel()) || slices.Contains(allowed, p.rel()) {
				continue
			}
			if slices.ContainsFunc(p.Imports, func(i string) bool { return ours(i) && below(relative(i), owner) }) {
				t.Errorf("%s imports %s; if that is intended, add it to the table of this test", p.rel(), owner)
			}
		}
		for _, user := range allowed {
			if p, ok := own[module+"/"+user]; !ok || !slices.Contains(p.Imports, module+"/"+owner) {
				t.Errorf("%s no longer imports %s; remove it from the table of this test", user, owner)
			}
		}
	}
}

// logging lists the packages that write log lines of their own.
var logging = []string{"log", "log/slog", "github.com/hashicorp/go-hclog"}

// loggers lists the packages below engineDir that may import a package of logging outside tests.
// The backend reports through Vault's logger that a mount cannot be loaded; everything else that
// the log shows is an event of the catalogue, so no value reaches it.
var loggers = []string{engineDir + "/activity", engineDir + "/docgen"}

func TestOnlyActivityWritesLogLines(t *testing.T) {
	own, _ := packages(t)
	found := 0
	for _, p := range own {
		uses := slices.ContainsFunc(p.Imports, func(i string) bool { return slices.Contains(logging, i) })
		if !uses || !below(p.rel(), engineDir) || support(p.rel()) {
			continue
		}
		found++
		if !slices.Contains(loggers, p.rel()) {
			t.Errorf("%s imports a package for log lines; record an event of package activity instead", p.rel())
		}
	}
	if found != len(loggers) {
		t.Errorf("%d packages write log lines, but the table of this test lists %d", found, len(loggers))
	}
}

// Test support follows no rule about storage, network or keys, so no program may contain it.
// tools/bench is a module of its own and uses some of it.
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

func TestKeyringIsIndependent(t *testing.T) {
	own, _ := packages(t)
	p, ok := own[module+"/shared/keyring"]
	if !ok {
		t.Fatal("shared/keyring does not exist, so the test shows nothing")
	}
	for _, path := range append(slices.Clone(p.Deps), p.allImports()...) {
		switch {
		case ours(path) && !below(relative(path), "shared/keyring"):
			t.Errorf("shared/keyring depends on %s of the project", path)
		case strings.HasPrefix(path, "github.com/hashicorp/vault"):
			t.Errorf("shared/keyring depends on %s of Vault", path)
		}
	}
}

// A provider that imports another one can be neither removed nor tested by itself.
func TestProvidersDoNotImportEachOther(t *testing.T) {
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

// provider returns the name of the provider that a package belongs to: "github" for
// shared/provider/github/githubtest.
func provider(rel, providers string) string {
	name, inside := strings.CutPrefix(rel, providers+"/")
	if !inside {
		return ""
	}
	name, _, _ = strings.Cut(name, "/")
	return name
}
