package crashtest

import (
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// TestRecordOfDeletedObjectDoesNotOpenUnderSuccessor stores the head of a deleted environment, and
// the credential of a deleted integration, under a new object of the same name. Only the
// incarnation id differs.
func TestRecordOfDeletedObjectDoesNotOpenUnderSuccessor(t *testing.T) {
	t.Run("environment", func(t *testing.T) {
		m := world(t)
		before, _ := keysOf(t, m.Storage)
		old := m.Storage.Raw("sec/" + string(before["acme/web/dev"]) + "/ONCE")
		m.Delete("environments/acme/web/dev", data{"confirm": "dev"})
		m.Write("environments/acme/web/dev", nil)
		m.Write("secrets/acme/web/dev/ONCE", data{"value": "again", "comment": "one version"})
		m.Write("secrets/acme/web/dev/C", data{"value": "neighbour"})
		m.Settle()
		after, _ := keysOf(t, m.Storage)
		key := "sec/" + string(after["acme/web/dev"]) + "/ONCE"
		current := m.Storage.Raw(key)
		m.Storage.SetRaw(key, old)
		m = m.Restart()
		if got := m.Refuse(read, "secrets/acme/web/dev/ONCE", nil); got.Status != 500 || !strings.Contains(got.Text, key) || !strings.Contains(got.Text, "restore it") {
			t.Errorf("read of the old head returned %v", got)
		}
		if got := m.Read("secrets/acme/web/dev/C")["value"]; got != "neighbour" {
			t.Errorf("the neighbour is %v", got)
		}
		m.Storage.SetRaw(key, current)
		m = m.Restart()
		if got := m.Read("secrets/acme/web/dev/ONCE")["value"]; got != "again" {
			t.Errorf("after the head was restored, the secret is %v", got)
		}
	})
	t.Run("integration", func(t *testing.T) {
		const path = "integrations/acme/toy/second"
		m := world(t)
		m.Write(path+"/verify", nil)
		credential := func() string {
			records, err := store.New(m.Storage)
			if err != nil {
				t.Fatal(err)
			}
			return "cred/" + string(credentialOf(t, records, path).id)
		}
		old := m.Storage.Raw(credential())
		m.Delete(path, nil)
		m.Write(path, data{"key": toys.key, "allowed_environments": "api/*"})
		m.Settle()
		key := credential()
		current := m.Storage.Raw(key)
		m.Storage.SetRaw(key, old)
		m = m.Restart()
		if got := m.Refuse(write, path+"/verify", nil); got.Word() != "provider" || !strings.Contains(got.Text, key) {
			t.Errorf("verify with the old credential returned %v", got)
		}
		m.Write(integrations[0]+"/verify", nil)
		m.Storage.SetRaw(key, current)
		m = m.Restart()
		m.Write(path+"/verify", nil)
	})
}
