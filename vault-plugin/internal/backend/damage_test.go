package backend_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// everywhere has a request for each path of the engine.
func everywhere() []enginetest.Request {
	return []enginetest.Request{
		read("config", nil), write("config", data{"max_versions": 3}), patch("config", data{"max_versions": nil}), read("info", nil),
		read("master-key", nil), write("master-key/rotate", nil), listing("workspaces", nil), read("workspaces/acme", nil),
		write("workspaces/new", nil), write("workspaces/acme", nil), patch("workspaces/acme", nil), remove("workspaces/acme", data{"confirm": "acme"}),
		read("keys/acme", nil), write("keys/acme/rotate", nil), write("keys/acme/rewrap", nil),
		listing("projects/acme", nil), read("projects/acme/api", nil), write("projects/acme/new", nil), remove("projects/acme/api", data{"confirm": "api"}),
		listing("environments/acme/api", nil), read("environments/"+dev, nil), write("environments/acme/api/new", nil), remove("environments/"+dev, data{"confirm": "development"}),
		listing("secrets/"+dev, nil), read(secret, nil), write(secret, data{"value": planted()}), remove(secret, nil),
		read("metadata/"+dev, nil), read("metadata/"+dev+"/DATABASE_URL", nil), write("import/"+dev, data{"secrets": data{"A": planted()}}),
		read("load/"+dev, nil), listing("policies", nil), read("policies/reader", data{"workspace": "acme"}),
	}
}

func TestBeforeInitializationEveryRequestReturns503AndTouchesNoStorage(t *testing.T) {
	filled := populated(t)
	filled.Write(secret, data{"value": planted()})
	m := enginetest.Factory(t, filled.Storage.Clone(), enginetest.NewClock())
	before := m.Storage.Clone()
	for _, req := range everywhere() {
		expect(t, m.Refuse(req.Op, req.Path, req.Data), 503, "unavailable", "try again")
	}
	m.Tick()
	if m.Storage.Calls() != 0 || before.Diff(m.Storage) != nil {
		t.Errorf("storage was called %d times", m.Storage.Calls())
	}
}

func TestStorageOfALaterSchemaIsNotChanged(t *testing.T) {
	first := populated(t)
	value := planted()
	first.Write(secret, data{"value": value})
	storage := first.Storage.Clone()
	schema := storage.Raw("core/schema")
	later, err := cbor.Marshal(map[int]int{1: 7})
	if err != nil {
		t.Fatal(err)
	}
	storage.SetRaw("core/schema", later)
	m := enginetest.Open(t, storage, enginetest.NewClock())
	before := m.Storage.Clone()
	for _, req := range everywhere() {
		expect(t, m.Refuse(req.Op, req.Path, req.Data), 503, "unavailable", "version 7", "up to 2")
	}
	m.Tick()
	if changed := before.Diff(m.Storage); changed != nil {
		t.Errorf("storage has changed: %v", changed)
	}
	m.Storage.SetRaw("core/schema", schema)
	has(t, m.Read(secret), data{"value": value})
	m.Write(secret, data{"value": planted()})
}

func TestStorageOfTheSchemaThatWasNeverReleasedIsLeftAlone(t *testing.T) {
	storage := populated(t).Storage.Clone()
	first, err := cbor.Marshal(map[int]int{1: 1})
	if err != nil {
		t.Fatal(err)
	}
	storage.SetRaw("core/schema", first)
	m := enginetest.Open(t, storage, enginetest.NewClock())
	before := m.Storage.Clone()
	for _, req := range everywhere() {
		expect(t, m.Refuse(req.Op, req.Path, req.Data), 503, "unavailable", "version 1", "no release", "version 2 only")
	}
	m.Tick()
	if changed := before.Diff(m.Storage); changed != nil {
		t.Errorf("storage has changed: %v", changed)
	}
}

// An error must not reveal which check failed or what storage contains.
func TestTamperedEntriesFailClosed(t *testing.T) {
	cases := []struct {
		name, key string // prefix of the storage key of the only entry of its kind
		requests  []enginetest.Request
		says      string
		info      string // expected in info after a restart; empty if only a read finds the damage
	}{
		{"head", "sec/", []enginetest.Request{read(secret, nil), read("load/"+dev, nil), read("metadata/"+dev+"/DATABASE_URL", nil), write(secret, data{"value": "v"}), remove(secret, nil),
			write("import/"+dev, data{"secrets": data{"DATABASE_URL": "v"}})}, "secret DATABASE_URL of " + dev, ""},
		{"old version", "ver/", []enginetest.Request{read(secret, data{"version": 1})}, "version 1 of secret DATABASE_URL of " + dev, ""},
		{"keys", "keys/", []enginetest.Request{read(secret, nil), write(secret, data{"value": "v"}), read("load/"+dev, nil), read("keys/acme", nil), write("keys/acme/rotate", nil), write("keys/acme/rewrap", nil)},
			"key entry of this workspace", "the key entry keys/"},
		{"workspace", "ws/", []enginetest.Request{read("workspaces/acme", nil), write("workspaces/acme", nil), patch("workspaces/acme", nil), remove("workspaces/acme", data{"confirm": "acme"}), read("keys/acme", nil),
			write("projects/acme/api", nil), write("environments/"+dev, nil), read(secret, nil), write(secret, data{"value": "v"}), listing("projects/acme", nil)}, "the record ws/acme is damaged", "the record ws/acme is damaged"},
		{"project", "proj/", []enginetest.Request{read("projects/acme/api", nil), write("projects/acme/api", nil), remove("projects/acme/api", nil), write("environments/"+dev, nil), read(secret, nil)}, "the record proj/", "the record proj/"},
		{"environment", "env/", []enginetest.Request{read("environments/"+dev, nil), write("environments/"+dev, nil), remove("environments/"+dev, nil), read(secret, nil), read("load/"+dev, nil), write("import/"+dev, data{"secrets": data{"A": "v"}})},
			"the record env/", "the record env/"},
		{"master key", "core/master", everywhere(), "core/master", ""},
		{"configuration", "core/config", everywhere(), "core/config", ""},
		{"schema", "core/schema", everywhere(), "core/schema", ""},
	}
	made := populated(t)
	made.Write("config", data{"max_versions": 20})
	value := planted()
	made.Write(secret, data{"value": value + spills})
	made.Write(secret, data{"value": value})
	for _, c := range cases {
		for how, change := range map[string]func([]byte) []byte{
			"truncated": func(b []byte) []byte { return b[:len(b)-1] },
			"half":      func(b []byte) []byte { return b[:len(b)/2] },
			"empty":     func([]byte) []byte { return []byte{} },
			"longer":    func(b []byte) []byte { return append(b, 0) },
			"other":     func([]byte) []byte { return []byte{0xa1, 0x18, 0x63, 0x01} }, // unknown field
		} {
			t.Run(c.name+" "+how, func(t *testing.T) {
				storage := made.Storage.Clone()
				key := slices.DeleteFunc(storage.Keys(), func(k string) bool { return !strings.HasPrefix(k, c.key) })[0]
				good := storage.Raw(key)
				storage.SetRaw(key, change(storage.Raw(key)))
				before := storage.Clone()
				m := enginetest.Open(t, storage, enginetest.NewClock())
				for _, req := range c.requests {
					got := m.Refuse(req.Op, req.Path, req.Data)
					expect(t, got, 500, "unavailable", c.says, "snapshot")
					if part := leaks(got.Text, value); part != "" {
						t.Errorf("the error contains %q", part)
					}
				}
				if c.info != "" {
					if info := m.Read("info"); info["healthy"] != false || !strings.Contains(fmt.Sprint(info["health"]), c.info) {
						t.Errorf("info returned %v", info["health"])
					}
				}
				m.Tick()
				m.Settle()
				if changed := before.Diff(m.Storage); changed != nil {
					t.Errorf("storage has changed: %v", changed)
				}
				storage.SetRaw(key, good)
				has(t, enginetest.Open(t, storage.Clone(), enginetest.NewClock()).Read(secret), data{"value": value, "version": 2})
			})
		}
	}
}

// A plugin whose mount has lost its master key must not create another one.
func TestALostMasterKeyIsNotReplaced(t *testing.T) {
	made := populated(t)
	storage := made.Storage.Clone()
	storage.SetRaw("core/master", nil)
	m := enginetest.Open(t, storage, enginetest.NewClock())
	for _, req := range everywhere() {
		expect(t, m.Refuse(req.Op, req.Path, req.Data), 500, "unavailable", "core/master", "snapshot")
	}
	if storage.Raw("core/master") != nil {
		t.Error("another master key was stored")
	}
}

func TestHelpIsReturnedInEveryStateOfTheMount(t *testing.T) {
	m := enginetest.Factory(t, enginetest.NewStorage(), enginetest.NewClock())
	for _, path := range []string{"", "workspaces/acme", secret} {
		resp, err := m.Backend.HandleRequest(t.Context(), &logical.Request{Operation: logical.HelpOperation, Path: path, Storage: m.Storage})
		if err != nil || resp == nil || resp.Data["help"] == "" {
			t.Errorf("help of %q: %v", path, err)
		}
	}
}
