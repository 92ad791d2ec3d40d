package acceptance_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// verify reports missing permissions before anything is written, and a run fails because of the
// same ones.
func TestVerifyReportsThePermissionThatARunLacks(t *testing.T) {
	y := newSynced(t, vaulttest.Start(t, vaulttest.Options{}))
	rules := func(onMetadata string) string {
		return fmt.Sprintf(`path "%[1]s/data/%[2]s/*" { capabilities = ["create", "read", "update"] }
			path "%[1]s/metadata/%[2]s/*" { capabilities = [%[3]s] }
			path "auth/token/lookup-self" { capabilities = ["read"] }
			path "sys/capabilities-self" { capabilities = ["update"] }`, y.mount, y.folder, onMetadata)
	}
	integration := "integrations/" + y.workspace() + "/vault/team"
	lacks := func(policy string) []string {
		y.write(integration, data{"token": y.server.ClientWithPolicy(t, policy).Token()})
		all := texts(y.write(integration+"/verify", nil)["lacks"])
		return slices.DeleteFunc(all, func(text string) bool { return strings.HasPrefix(text, "the credential expires soon") })
	}
	y.set("A", "one")
	y.set("B", "two")
	y.begin()

	_, home, _ := strings.Cut(y.env, "/")
	want := []string{fmt.Sprintf("for sync %s/vault-kv/team the credential lacks delete on %s/metadata/%s/NAME", home, y.mount, y.folder)}
	if got := lacks(rules(`"read", "list"`)); !slices.Equal(got, want) {
		t.Errorf("lacks %q, want %q", got, want)
	}
	y.unset("B")
	status := y.becomes("PARTIAL")
	if text := fmt.Sprint(status["keys"]); !strings.Contains(text, "permission") || !strings.Contains(text, "delete on") {
		t.Errorf("the status of the run is %v", status)
	}
	if got := lacks(rules(`"read", "list", "delete"`)); len(got) != 0 {
		t.Errorf("lacks %q", got)
	}
	y.write(y.sync+"/run", data{"wait": "10s"})
	y.arrives("the deletion that failed before", map[string]string{"A": "one"})
}

func TestAChangeOfOneSecretRequestsNoOtherEntry(t *testing.T) {
	y := newSynced(t, vaulttest.Start(t, vaulttest.Options{}))
	const many = 40
	want := make(map[string]string, many)
	for i := range many {
		name := fmt.Sprintf("S%02d", i)
		want[name] = "one"
	}
	y.write("import/"+y.env, data{"secrets": want})
	y.begin()
	y.arrives("the first run", want)

	before := len(y.server.AuditLog())
	y.set("S07", "changed")
	y.becomes("SYNCED")
	path := y.folder + "/S07"
	// The data are read because the fields of others in the entry must not be lost.
	requests := []string{"read " + y.mount + "/metadata/" + path, "read " + y.mount + "/data/" + path, "update " + y.mount + "/data/" + path}
	if got := vaulttest.Requests(t, y.server.AuditLog()[before:], y.mount+"/"); !slices.Equal(got, requests) {
		t.Errorf("the requests to the destination are %q", got)
	}
	want["S07"] = "changed"
	y.arrives("the change", want)
}
