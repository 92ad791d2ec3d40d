package backend_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// family returns a mount with api/development, api/staging, api/production (production) and
// shared/common.
func family(t *testing.T) *enginetest.Mount {
	t.Helper()
	m := enginetest.New(t)
	m.Populate("acme", "api", "development", "staging")
	m.Write("environments/acme/api/production", enginetest.Data{"production": true})
	for _, e := range []string{"development", "staging"} {
		m.Write("environments/acme/api/"+e, enginetest.Data{"shared_with": "api/development,api/staging"})
	}
	m.Write("projects/acme/shared", nil)
	m.Write("environments/acme/shared/common", nil)
	return m
}

func refer(m *enginetest.Mount, path, value string) {
	m.Write("secrets/acme/"+path, enginetest.Data{"value": value, "references": true})
}

func deliveredIn(m *enginetest.Mount, path string) enginetest.Data {
	return m.Read("load/acme/" + path)
}

func TestReferencesAreResolvedWhenDelivered(t *testing.T) {
	m := family(t)
	m.Write("environments/acme/shared/common", enginetest.Data{"shared_with": "api/*"})
	m.Write("secrets/acme/shared/common/HOST", enginetest.Data{"value": "db.internal"})
	m.Write("secrets/acme/api/staging/USER", enginetest.Data{"value": "staging-user"})
	m.Write("secrets/acme/api/development/USER", enginetest.Data{"value": "dev-user"})
	refer(m, "shared/common/URL", "https://${HOST}/")
	refer(m, "api/development/DSN", `${USER}@${shared/common/HOST}/$x/\${USER}/${staging/USER}/${shared/common/URL}`)
	m.Write("secrets/acme/api/development/PLAIN", enginetest.Data{"value": "${USER}"})
	want := "dev-user@db.internal/$x/${USER}/staging-user/https://db.internal/"
	for m := range restarting(&m) {
		got := deliveredIn(m, "api/development")
		if got["DSN"] != want || got["PLAIN"] != "${USER}" {
			t.Errorf("delivered are %v", got)
		}
	}
	if got := m.Read("secrets/acme/api/development/DSN"); got["references"] != true || got["value"] == want {
		t.Errorf("the read returned %v, not the written value", got)
	}
	m.Must(logical.PatchOperation, "secrets/acme/api/development/DSN", enginetest.Data{"value": "${USER}!"})
	if got := deliveredIn(m, "api/development")["DSN"]; got != "dev-user!" {
		t.Errorf("after a patch of the value it is %v", got)
	}
	m.Write("rollback/acme/api/development/DSN", enginetest.Data{"version": 1})
	if got := deliveredIn(m, "api/development")["DSN"]; got != want {
		t.Errorf("after a rollback it is %v", got)
	}
}

func TestUnresolvableReferencesAreRejectedByAWrite(t *testing.T) {
	m := family(t)
	m.Write("secrets/acme/api/production/KEY", enginetest.Data{"value": "planted-production-value"})
	m.Write("secrets/acme/shared/common/KEY", enginetest.Data{"value": "planted-common-value"})
	m.Write("secrets/acme/api/development/A", enginetest.Data{"value": "a"})
	refer(m, "api/development/B", "${A}")
	for name, c := range map[string]struct{ secret, value, word string }{
		"a syntax error":                  {"X", "x${", "invalid"},
		"an empty reference":              {"X", "${}", "invalid"},
		"too many segments":               {"X", "${a/b/c/D}", "invalid"},
		"an invalid name":                 {"X", "${planted value}", "invalid"},
		"an unknown secret":               {"X", "${NONE}", "not_found"},
		"an unknown environment":          {"X", "${none/KEY}", "not_found"},
		"itself":                          {"X", "${X}", "invalid"},
		"a circle":                        {"A", "${B}", "invalid"},
		"production, which never shares":  {"X", "${production/KEY}", "denied"},
		"another project, not shared":     {"X", "${shared/common/KEY}", "denied"},
		"another workspace, out of reach": {"X", "${other/api/development/KEY}", "invalid"},
	} {
		before := m.Storage.Clone()
		refused := m.Refuse(logical.UpdateOperation, "secrets/acme/api/development/"+c.secret, enginetest.Data{"value": c.value, "references": true})
		if refused.Word() != c.word || strings.Contains(refused.Text, "planted") {
			t.Errorf("%s is refused with %v, want %s", name, refused, c.word)
		}
		if fmt.Sprint(before.Keys()) != fmt.Sprint(m.Storage.Keys()) {
			t.Errorf("%s wrote something", name)
		}
	}
	if refused := m.Refuse(logical.UpdateOperation, "secrets/acme/api/development/X", enginetest.Data{"value": "AA==", "encoding": "base64", "references": true}); refused.Word() != "invalid" {
		t.Errorf("references in bytes are refused with %v", refused)
	}
}

func TestChainsAreBounded(t *testing.T) {
	m := family(t)
	m.Write("secrets/acme/api/development/S0", enginetest.Data{"value": "end"})
	for i := 1; i <= 10; i++ {
		refer(m, fmt.Sprintf("api/development/S%d", i), fmt.Sprintf("${S%d}", i-1))
	}
	if refused := m.Refuse(logical.UpdateOperation, "secrets/acme/api/development/S11", enginetest.Data{"value": "${S10}", "references": true}); refused.Word() != "limit" {
		t.Errorf("a chain of 11 hops is refused with %v", refused)
	}
	if got := deliveredIn(m, "api/development")["S10"]; got != "end" {
		t.Errorf("a chain of 10 hops is delivered as %v", got)
	}
	m.Write("secrets/acme/api/staging/D0", enginetest.Data{"value": strings.Repeat("x", 60_000)})
	refer(m, "api/staging/D1", "${D0}${D0}")
	refer(m, "api/staging/D2", "${D1}${D1}")
	if refused := m.Refuse(logical.UpdateOperation, "secrets/acme/api/staging/D3", enginetest.Data{"value": "${D2}${D2}", "references": true}); refused.Word() != "limit" {
		t.Errorf("a value that grows beyond the limit is refused with %v", refused)
	}
}

func TestALostTargetFailsTheDeliveryAndNamesTheChain(t *testing.T) {
	m := family(t)
	m.Write("secrets/acme/api/staging/KEY", enginetest.Data{"value": "v"})
	refer(m, "api/development/A", "${staging/KEY}")
	refer(m, "api/development/B", "${A}")
	m.Delete("secrets/acme/api/staging/KEY", nil)
	m = m.Restart()
	refused := m.Refuse(logical.ReadOperation, "load/acme/api/development", nil)
	if refused.Status != 400 || refused.Word() != "not_found" || !strings.Contains(refused.Text, "api/development/A") {
		t.Errorf("the delivery is refused with %v", refused)
	}
	m.Write("undelete/acme/api/staging/KEY", enginetest.Data{"versions": "1"})
	if got := deliveredIn(m, "api/development")["B"]; got != "v" {
		t.Errorf("after the undelete it is %v", got)
	}
}

// TestNobodyLearnsWhatIsNotShared covers privilege escalation: a caller who may write and load only
// one environment tries every way to a value of an environment that does not share with it.
func TestNobodyLearnsWhatIsNotShared(t *testing.T) {
	m := family(t)
	const planted = "planted-production-value"
	m.Write("secrets/acme/api/production/KEY", enginetest.Data{"value": planted})
	m.Write("environments/acme/shared/common", enginetest.Data{"shared_with": "api/production"})
	refer(m, "shared/common/RELAY", "x") // shared with production only
	tries := []enginetest.Request{
		{Op: logical.UpdateOperation, Path: "secrets/acme/api/development/X", Data: enginetest.Data{"value": "${production/KEY}", "references": true}},
		{Op: logical.UpdateOperation, Path: "secrets/acme/api/development/X", Data: enginetest.Data{"value": "${api/production/KEY}", "references": true}},
		{Op: logical.UpdateOperation, Path: "secrets/acme/api/development/X", Data: enginetest.Data{"value": "${shared/common/RELAY}", "references": true}},
		{Op: logical.ReadOperation, Path: "load/acme/api/development"},
		{Op: logical.ReadOperation, Path: "metadata/acme/api/development"},
	}
	for _, try := range tries {
		data, err := m.Do(try)
		if text := fmt.Sprint(data, err); strings.Contains(text, planted) {
			t.Errorf("%s %s %v returned %s", try.Op, try.Path, try.Data, text)
		}
	}
	// When sharing ends, the value is out of reach immediately, although the reference still
	// exists.
	m.Write("environments/acme/api/production", enginetest.Data{"shared_with": "api/development"})
	refer(m, "api/development/X", "${production/KEY}")
	if got := deliveredIn(m, "api/development")["X"]; got != planted {
		t.Fatalf("what is shared is delivered as %v", got)
	}
	m.Must(logical.PatchOperation, "environments/acme/api/production", enginetest.Data{"shared_with": nil})
	refused := m.Refuse(logical.ReadOperation, "load/acme/api/development", nil)
	if refused.Word() != "denied" || strings.Contains(refused.Text, planted) {
		t.Errorf("after the owner took it back the delivery is refused with %v", refused)
	}
}

func TestAnEnvironmentInheritsFromItsBase(t *testing.T) {
	m := family(t)
	m.Write("import/acme/api/development", enginetest.Data{"secrets": enginetest.Data{"HOST": "dev", "PORT": "1"}})
	refer(m, "api/development/URL", "${HOST}:${PORT}")
	m.Write("environments/acme/api/staging", enginetest.Data{"base": "development"})
	m.Write("secrets/acme/api/staging/HOST", enginetest.Data{"value": "staging"})
	for m := range restarting(&m) {
		got := deliveredIn(m, "api/staging")
		if len(got) != 3 || got["HOST"] != "staging" || got["PORT"] != "1" || got["URL"] != "staging:1" {
			t.Errorf("staging inherits %v", got)
		}
		if got := deliveredIn(m, "api/development")["URL"]; got != "dev:1" {
			t.Errorf("the base itself delivers %v", got)
		}
	}
	for base, word := range map[string]string{"production": "denied", "none": "invalid", "staging": "invalid", "a/b/c": "invalid", "shared/common": "denied"} {
		if refused := m.Refuse(logical.UpdateOperation, "environments/acme/api/staging", enginetest.Data{"base": base}); refused.Word() != word {
			t.Errorf("a base of %s is refused with %v, want %s", base, refused, word)
		}
	}
	if refused := m.Refuse(logical.UpdateOperation, "environments/acme/api/development", enginetest.Data{"base": "api/staging"}); refused.Word() != "invalid" {
		t.Errorf("a circle of bases is refused with %v", refused)
	}
	m.Write("environments/acme/api/staging", enginetest.Data{"base": ""})
	if got := deliveredIn(m, "api/staging"); len(got) != 1 {
		t.Errorf("without a base it delivers %v", got)
	}
}

func TestEnvironmentsWithDependentsAreNotDeleted(t *testing.T) {
	m := family(t)
	m.Write("environments/acme/shared/common", enginetest.Data{"shared_with": "api/*"})
	m.Write("secrets/acme/shared/common/KEY", enginetest.Data{"value": "v"})
	refer(m, "api/development/A", "${shared/common/KEY}")
	m.Write("environments/acme/api/staging", enginetest.Data{"base": "development"})
	for path, named := range map[string]string{
		"environments/acme/shared/common":   "api/development/A",
		"projects/acme/shared":              "api/development/A",
		"environments/acme/api/development": "api/staging",
	} {
		last := path[strings.LastIndexByte(path, '/')+1:]
		refused := m.Refuse(logical.DeleteOperation, path, enginetest.Data{"confirm": last})
		if refused.Status != 409 || !strings.Contains(refused.Text, named) {
			t.Errorf("deleting %s is refused with %v", path, refused)
		}
	}
	m.Write("environments/acme/api/staging", enginetest.Data{"base": ""})
	m.Write("environments/acme/api/production", enginetest.Data{"deletion_allowed": true})
	m.Delete("projects/acme/api", enginetest.Data{"confirm": "api"})
	m.Delete("projects/acme/shared", enginetest.Data{"confirm": "shared"})
}

func TestReferencesAreResolvedAtTheRequestedTime(t *testing.T) {
	m := family(t)
	m.Write("secrets/acme/api/staging/KEY", enginetest.Data{"value": "old"})
	refer(m, "api/development/A", "${staging/KEY}")
	then := m.Clock.Now().Format(time.RFC3339)
	m.Clock.Advance(time.Hour)
	m.Write("secrets/acme/api/staging/KEY", enginetest.Data{"value": "new"})
	got := m.Must(logical.ReadOperation, "load/acme/api/development", enginetest.Data{"version_at": then})
	if got["A"] != "old" || deliveredIn(m, "api/development")["A"] != "new" {
		t.Errorf("then it was %v, now %v", got["A"], deliveredIn(m, "api/development")["A"])
	}
}

// Regression: a reference to a binary value inserted raw bytes. JSON replaced bytes that are not
// UTF-8, so the value was wrong without an error. A reference inserts what load returns for its
// target, which is base64 for a binary value. Binary values themselves contain no references.
func TestReferencesAndBytes(t *testing.T) {
	m := family(t)
	m.Write("secrets/acme/api/development/CERT", enginetest.Data{"value": "/wD+", "encoding": "base64"})
	refer(m, "api/development/CONF", "cert=${CERT}")
	for m := range restarting(&m) {
		if got := deliveredIn(m, "api/development"); got["CONF"] != "cert=/wD+" || got["CERT"] != "/wD+" {
			t.Errorf("delivered are %v", got)
		}
	}
	m.Must(logical.PatchOperation, "secrets/acme/api/development/CONF", enginetest.Data{"value": "/wD+", "encoding": "base64"})
	if got := m.Read("secrets/acme/api/development/CONF"); got["references"] != false || deliveredIn(m, "api/development")["CONF"] != "/wD+" {
		t.Errorf("a value that became binary was returned as %v", got)
	}
	for path, body := range map[string]enginetest.Data{
		"CERT": {"references": true},
		"CONF": {"references": true, "value": "/wD+", "encoding": "base64"},
	} {
		if refused := m.Refuse(logical.PatchOperation, "secrets/acme/api/development/"+path, body); !strings.HasPrefix(refused.Text, "invalid: references:") {
			t.Errorf("references in bytes are refused with %v", refused)
		}
	}
}

// Regression: whether a chain that became too long was delivered depended on which secret was
// resolved first.
func TestAChainIsTooLongInAnyOrderOfResolution(t *testing.T) {
	m := family(t)
	name := func(i int) string { return fmt.Sprintf("api/development/S%02d", i) }
	for i := range 12 {
		m.Write("secrets/acme/"+name(i), enginetest.Data{"value": "end"})
	}
	for i := range 11 { // each refers to a secret without references so far
		refer(m, name(i), fmt.Sprintf("${S%02d}", i+1))
	}
	for range 5 {
		refused := m.Refuse(logical.ReadOperation, "load/acme/api/development", nil)
		if refused.Word() != "limit" || !strings.Contains(refused.Text, "references: api/development/S00") {
			t.Fatalf("the delivery is refused with %v", refused)
		}
	}
	m.Delete("metadata/acme/"+name(0), nil)
	if got := deliveredIn(m, "api/development")["S01"]; got != "end" {
		t.Errorf("a chain of 10 hops is delivered as %v", got)
	}
}

// Regression: an environment whose base was no longer shared with it could not be locked.
func TestAnEnvironmentThatLostItsBaseCanBeChanged(t *testing.T) {
	m := family(t)
	const path = "environments/acme/api/staging"
	m.Write(path, enginetest.Data{"base": "development"})
	m.Write("environments/acme/api/development", enginetest.Data{"shared_with": "web/*"})
	if got := m.Write(path, enginetest.Data{"locked": true}); got["locked"] != true {
		t.Errorf("lock returned %v", got)
	}
	m.Write(path, enginetest.Data{"locked": false})
	if refused := m.Refuse(logical.ReadOperation, "load/acme/api/staging", nil); refused.Word() != "denied" {
		t.Errorf("a delivery is refused with %v", refused)
	}
	m.Write(path, enginetest.Data{"base": ""})
	if refused := m.Refuse(logical.UpdateOperation, path, enginetest.Data{"base": "development"}); refused.Word() != "denied" {
		t.Errorf("the base comes back with %v", refused)
	}
}

// Regression: the environments of a project that were not production shared with each other without
// a setting, so the developers of one could read another.
func TestNothingIsSharedByDefault(t *testing.T) {
	m := enginetest.New(t)
	m.Populate("acme", "api", "development", "staging", "production")
	m.Write("secrets/acme/api/staging/KEY", enginetest.Data{"value": "planted"})
	if got := m.Read("environments/acme/api/staging")["shared_with"]; fmt.Sprint(got) != "[]" {
		t.Errorf("shared_with is %v", got)
	}
	const development = "environments/acme/api/development"
	for m := range restarting(&m) {
		for _, target := range []string{"staging", "production"} {
			refused := m.Refuse(logical.UpdateOperation, "secrets/acme/api/development/X", enginetest.Data{"value": "${" + target + "/KEY}", "references": true})
			expect(t, refused, 403, "denied", "shared_with=api/development")
			expect(t, m.Refuse(logical.UpdateOperation, development, enginetest.Data{"base": target}), 403, "denied", "shared_with=api/development")
		}
	}
	m.Write("environments/acme/api/staging", enginetest.Data{"shared_with": "api/development"})
	refer(m, "api/development/X", "${staging/KEY}")
	m.Must(logical.PatchOperation, "environments/acme/api/staging", enginetest.Data{"shared_with": nil})
	expect(t, m.Refuse(logical.ReadOperation, "load/acme/api/development", nil), 403, "denied")
}
