package backend_test

import (
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

func TestSecretsAreReadAsTheyWereWritten(t *testing.T) {
	m := enginetest.New(t)
	m.Populate("acme", "api", "development")
	m.Write("secrets/acme/api/development/FOO", enginetest.Data{"value": "one"})
	m.Write("secrets/acme/api/development/FOO", enginetest.Data{"value": "two"})
	m.Write("import/acme/api/development", enginetest.Data{"secrets": enginetest.Data{"A": "1", "FOO": "three"}})
	check := func(when string) {
		t.Helper()
		if got := m.Read("secrets/acme/api/development/FOO")["value"]; got != "three" {
			t.Errorf("%s the newest version is %q", when, got)
		}
		if got := m.Must("read", "secrets/acme/api/development/FOO", enginetest.Data{"version": "2"})["value"]; got != "two" {
			t.Errorf("%s version 2 is %q", when, got)
		}
		if got := m.Read("load/acme/api/development"); len(got) != 2 || got["A"] != "1" || got["FOO"] != "three" {
			t.Errorf("%s load returned %v", when, got)
		}
	}
	check("at once")
	m = m.Restart()
	check("after a restart")
}
