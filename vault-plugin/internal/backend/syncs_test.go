package backend_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncs"
)

const (
	aSync  = "syncs/acme/api/development/toy-shelf/main"
	source = "secrets/acme/api/development/"
)

// synced is a mount with a toy, an integration that allows everything, and a sync of acme/api/development to the shelf top.
func synced(t *testing.T, more data) (*enginetest.Mount, *toy.Server) {
	t.Helper()
	m, server := toyed(t)
	m.Write(integration, data{"key": server.Key(), "allowed_environments": "*", "allowed_targets": "*"})
	definition := data{"integration": "main", "shelf": "top"}
	for name, value := range more {
		definition[name] = value
	}
	m.Write(aSync, definition)
	return m, server
}

// rest turns the clock until the sync has come to a state that lasts, within the time a change is waited for.
func rest(t *testing.T, m *enginetest.Mount) data {
	t.Helper()
	m.Clock.Advance(syncs.Window)
	m.Settle()
	status := m.Read(aSync + "/status")
	switch status["state"] {
	case "PENDING", "PLANNING", "RUNNING":
		t.Fatalf("it does not come to rest: %v", status)
	}
	return status
}

func standsAt(t *testing.T, server *toy.Server, want map[string]string) {
	t.Helper()
	if got := server.Truth("top"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the shelf has %v, want %v", got, want)
	}
}

func TestASyncBringsAnEnvironmentToItsDestination(t *testing.T) {
	m, server := synced(t, nil)
	m.Write(source+"A", data{"value": "1"})
	m.Write(source+"B", data{"value": "2"})
	has(t, rest(t, m), data{"state": "SYNCED", "owned": 2, "troubled": 0, "error_class": ""})
	standsAt(t, server, map[string]string{"A": "1", "B": "2"})

	m.Write(source+"A", data{"value": "3"})
	m.Delete(source+"B", nil)
	rest(t, m)
	standsAt(t, server, map[string]string{"A": "3"})

	m.Delete(aSync, data{"purge": true})
	m.Clock.Advance(time.Second)
	m.Settle()
	expect(t, m.Refuse(logical.ReadOperation, aSync, nil), 404, "not_found")
	standsAt(t, server, map[string]string{})
}
