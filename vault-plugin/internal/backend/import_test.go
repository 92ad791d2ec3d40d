package backend_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

func names(created, updated, unchanged, deleted []string) data {
	return data{"created": created, "updated": updated, "unchanged": unchanged, "deleted": deleted}
}

func TestAnImportMergesOrReplaces(t *testing.T) {
	m := populated(t)
	at := "import/" + dev
	has(t, m.Write(at, data{"secrets": data{"A": "1", "B": "", "C": "3"}, "comment": "first"}), names([]string{"A", "B", "C"}, []string{}, []string{}, []string{}))
	has(t, m.Write(at, data{"secrets": data{"A": "1", "B": "2", "D": "4"}}), names([]string{"D"}, []string{"B"}, []string{"A"}, []string{}))
	for m := range restarting(&m) {
		has(t, m.Read("load/"+dev), data{"A": "1", "B": "2", "C": "3", "D": "4"})
		has(t, m.Read("secrets/"+dev+"/A"), data{"version": 1, "comment": "first"})
		has(t, m.Read("secrets/"+dev+"/B"), data{"version": 2, "comment": ""})
	}

	m.Settle()
	before := m.Storage.Clone()
	replace := data{"mode": "replace", "dry_run": true, "secrets": data{"B": "2", "C": "changed", "E": "new"}}
	want := names([]string{"E"}, []string{"C"}, []string{"B"}, []string{"A", "D"})
	want["dry_run"] = true
	has(t, m.Write(at, replace), want)
	if changed := before.Diff(m.Storage); changed != nil {
		t.Errorf("a dry run changed %v", changed)
	}
	replace["dry_run"], want["dry_run"] = false, false
	has(t, m.Write(at, replace), want)
	for m := range restarting(&m) {
		if got := m.Read("load/" + dev); len(got) != 3 {
			t.Errorf("load returned %d secrets", len(got))
		}
		has(t, m.Read("load/"+dev), data{"B": "2", "C": "changed", "E": "new"})
		has(t, m.Read("metadata/"+dev+"/A"), data{"state": "deleted", "version": 1})
	}
	has(t, m.Write(at, data{"secrets": data{"A": "1"}}), names([]string{}, []string{"A"}, []string{}, []string{}))
	has(t, m.Read("secrets/"+dev+"/A"), data{"version": 2, "value": "1"})
}

func TestAnImportReadsDotenv(t *testing.T) {
	m := populated(t)
	content := "# comment\nexport A=plain\nB=\"two\\nlines\"\nC='$HOME'\n\nD=\n"
	m.Write("import/"+dev, data{"content": content})
	has(t, m.Read("load/"+dev), data{"A": "plain", "B": "two\nlines", "C": "$HOME", "D": ""})
	has(t, m.Write("import/"+dev, data{"content": content, "format": "dotenv"}), data{"unchanged": []string{"A", "B", "C", "D"}})
}

func TestAnUnchangedImportStoresNothing(t *testing.T) {
	m := populated(t)
	m.Write("import/"+dev, data{"secrets": data{"A": "1", "B": "2"}})
	m.Settle()
	before := m.Storage.Clone()
	has(t, m.Write("import/"+dev, data{"mode": "replace", "secrets": data{"A": "1", "B": "2"}}), data{"unchanged": []string{"A", "B"}})
	m.Settle()
	if changed := before.Diff(m.Storage); changed != nil {
		t.Errorf("a rejected import changed %v", changed)
	}
}

func TestAnImportKeepsTagsAndReplacesBytesWithText(t *testing.T) {
	m := populated(t)
	m.Write(secret, data{"value": "aGk=", "encoding": "base64", "tags": "db"})
	has(t, m.Write("import/"+dev, data{"secrets": data{"DATABASE_URL": "hi"}}), data{"updated": []string{"DATABASE_URL"}})
	has(t, m.Read(secret), data{"value": "hi", "encoding": "text", "version": 2, "tags": []string{"db"}})
	has(t, m.Must("read", secret, data{"version": 1}), data{"value": "aGk=", "encoding": "base64"})
}

// Regression: the background work of a first import took the change of a second import for its own.
// It dropped the change from memory, and the second import was lost together with its log.
func TestImportsInQuickSuccessionAreAllKept(t *testing.T) {
	m := populated(t)
	const rounds, secrets = 100, 5
	for round := 1; round <= rounds; round++ {
		values := make(data)
		for i := range secrets {
			values[fmt.Sprint("S", i)] = fmt.Sprint("round ", round)
		}
		m.Write("import/"+dev, data{"secrets": values})
		has(t, m.Read("secrets/"+dev+"/S0"), data{"version": round})
	}
	m.Settle()
	for m := range restarting(&m) {
		for i := range secrets {
			has(t, m.Read(fmt.Sprint("secrets/", dev, "/S", i)), data{"value": fmt.Sprint("round ", rounds), "version": rounds})
			has(t, m.Must("read", fmt.Sprint("secrets/", dev, "/S", i), data{"version": rounds - 9}), data{"value": fmt.Sprint("round ", rounds-9)})
		}
	}
	if logs := stored(m, "log/"); len(logs) > 0 {
		t.Errorf("logs are left: %v", logs)
	}
}

func TestWritesBesideAnImportsBackgroundWorkKeepEveryVersion(t *testing.T) {
	m := populated(t)
	for round := range 50 {
		m.Write("import/"+dev, data{"secrets": data{"A": fmt.Sprint("import ", round), "B": fmt.Sprint("import ", round)}})
		has(t, m.Write("secrets/"+dev+"/A", data{"value": fmt.Sprint("write ", round)}), data{"version": 2*round + 2})
		m.Delete("secrets/"+dev+"/B", nil)
		has(t, m.Must("read", "secrets/"+dev+"/A", data{"version": 2*round + 1}), data{"value": fmt.Sprint("import ", round)})
	}
	m.Settle()
	for m := range restarting(&m) {
		has(t, m.Read("secrets/"+dev+"/A"), data{"version": 100, "value": "write 49"})
		has(t, m.Read("metadata/"+dev+"/B"), data{"version": 50, "state": "deleted"})
	}
}

func TestAnImportOverALimitStoresNothing(t *testing.T) {
	m := populated(t)
	m.Write("workspaces/acme", data{"max_secrets": 3, "max_value_bytes": 100, "max_environment_bytes": 150})
	m.Write("import/"+dev, data{"secrets": data{"A": "1", "B": "2"}})
	m.Settle()
	value := planted() + strings.Repeat("x", 75)
	cases := []struct {
		name    string
		secrets data
		says    []string
	}{
		{"count", data{"C": "3", "D": "4"}, []string{dev, "3 secrets", "max_secrets"}},
		{"bytes of the environment", data{"A": value[:75], "B": value[:75]}, []string{dev, "150 bytes", "max_environment_bytes"}},
		{"bytes of one value", data{"A": value}, []string{"secrets: A:", "101 bytes", "max_value_bytes", "100"}},
	}
	for _, c := range cases {
		for _, dry := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, " dry_run=", dry), func(t *testing.T) {
				before := m.Storage.Clone()
				got := m.Refuse(logical.UpdateOperation, "import/"+dev, data{"secrets": c.secrets, "dry_run": dry})
				expect(t, got, 400, "limit", c.says...)
				if part := leaks(got.Text, value[:26]); part != "" {
					t.Errorf("the error contains %q of a value", part)
				}
				if changed := before.Diff(m.Storage); changed != nil {
					t.Errorf("a rejected import changed %v", changed)
				}
			})
		}
	}
	for m := range restarting(&m) {
		m.Write("import/"+dev, data{"secrets": data{"A": strings.Repeat("a", 100), "B": strings.Repeat("b", 40)}})
		m.Write("import/"+dev, data{"secrets": data{"A": "1", "B": "2"}}) // frees the space
	}
	m.Write("import/"+dev, data{"mode": "replace", "secrets": data{"A": strings.Repeat("a", 98), "C": strings.Repeat("c", 50)}})
	expect(t, m.Refuse(logical.UpdateOperation, "secrets/"+dev+"/A", data{"value": strings.Repeat("a", 99)}), 400, "limit", "max_environment_bytes")
	expect(t, m.Refuse(logical.UpdateOperation, "secrets/"+dev+"/D", data{"value": ""}), 400, "limit", "max_secrets")
	m.Delete("secrets/"+dev+"/C", nil) // frees its bytes, but it still counts as a secret
	m.Write("secrets/"+dev+"/A", data{"value": strings.Repeat("a", 99)})
	expect(t, m.Refuse(logical.UpdateOperation, "secrets/"+dev+"/D", data{"value": ""}), 400, "limit", "max_secrets")
}

func TestLoadFailsIfOneSecretCannotBeDecrypted(t *testing.T) {
	m := populated(t)
	m.Write("import/"+dev, data{"secrets": data{"A": "1", "B": "2"}})
	m.Settle()
	key := stored(m, "sec/")[1]
	m.Storage.SetRaw(key, []byte("junk"))
	m = m.Restart()
	expect(t, m.Refuse(logical.ReadOperation, "load/"+dev, nil), 500, "unavailable", "secret B", dev, "snapshot")
	has(t, m.Read("secrets/"+dev+"/A"), data{"value": "1"})
	has(t, object(t, m.Read("metadata/"+dev), "secrets", "B"), data{"state": "damaged"})
	has(t, object(t, m.Must("list", "secrets/"+dev+"/", nil), "key_info", "B"), data{"state": "damaged"})
}

// Regression: an import ignored cas_required.
func TestAnImportRespectsCheckAndSet(t *testing.T) {
	m := populated(t)
	at := "import/" + dev
	m.Write(at, data{"secrets": data{"A": "1", "B": "1"}})
	m.Write("metadata/"+dev+"/A", data{"cas_required": true})
	refused := func(body data, word string) {
		t.Helper()
		before := fmt.Sprint(m.Read("load/" + dev))
		if r := m.Refuse(logical.UpdateOperation, at, body); r.Word() != word || !strings.Contains(r.Text, "cas: ") {
			t.Errorf("%v is refused with %v", body, r)
		}
		if got := fmt.Sprint(m.Read("load/" + dev)); got != before {
			t.Errorf("a rejected import left %v of %v", got, before)
		}
	}
	refused(data{"secrets": data{"A": "2", "B": "2"}}, "invalid")
	refused(data{"secrets": data{"A": "2", "B": "2"}, "dry_run": true}, "invalid")
	refused(data{"secrets": data{"A": "2"}, "cas": data{"A": 2}}, "conflict")
	refused(data{"secrets": data{"A": "1"}, "cas": data{"A": 2}}, "conflict")
	refused(data{"secrets": data{"A": "2"}, "cas": data{"A": -1}}, "invalid")
	refused(data{"secrets": data{"A": "2"}, "cas": data{"A": "one"}}, "invalid")
	refused(data{"secrets": data{"A": "2"}, "cas": data{"A": 1, "C": 0}}, "invalid")
	refused(data{"secrets": data{"B": "2", "C": "1"}, "cas": data{"C": 1}}, "conflict")
	refused(data{"cas": nil}, "invalid")
	refused(data{"cas": data{"A": data{}}}, "invalid")
	has(t, m.Write(at, data{"secrets": data{"A": "1", "B": "2"}}), names([]string{}, []string{"B"}, []string{"A"}, []string{}))
	has(t, m.Write(at, data{"secrets": data{"A": "2", "C": "1"}, "cas": data{"A": 1, "C": "0"}}), names([]string{"C"}, []string{"A"}, []string{}, []string{}))

	m.Write("workspaces/acme", data{"cas_required": true})
	refused(data{"secrets": data{"NEW": "1"}}, "invalid")
	has(t, m.Write(at, data{"secrets": data{"NEW": "1"}, "cas": data{"NEW": 0}}), names([]string{"NEW"}, []string{}, []string{}, []string{}))
}

// Regression: the changelog contained an import's comment only if the first of its secrets by name
// was written and not deleted.
func TestAChangeHasItsCommentWhateverItChanged(t *testing.T) {
	m := populated(t)
	m.Write("import/"+dev, data{"secrets": data{"A": "1", "B": "1"}})
	m.Clock.Advance(time.Minute)
	m.Write("import/"+dev, data{"secrets": data{"B": "2"}, "mode": "replace", "comment": "moved"})
	all, _ := m.Read("changes/" + dev)["changes"].([]any)
	has(t, all[0].(data), data{"comment": "moved"})
}
