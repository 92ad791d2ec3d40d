package keys_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// load starts the key service of a mount that has workspaces with the given names and ids.
func load(t *testing.T, storage *enginetest.Storage, names map[string]store.ID) (*keys.Service, *jobs.Group) {
	t.Helper()
	records, err := store.New(storage)
	if err != nil {
		t.Fatal(err)
	}
	group := jobs.NewGroup()
	t.Cleanup(func() { group.Stop(time.Second) })
	k, err := keys.Load(t.Context(), records, group, enginetest.NewClock().Now)
	if err != nil {
		t.Fatal(err)
	}
	k.Configure(store.Config{KeyringCacheSize: 4, KeyringCacheTTL: time.Hour})
	for name, id := range names {
		k.SetName(id, name)
	}
	return k, group
}

func create(t *testing.T, k *keys.Service, name string) store.ID {
	t.Helper()
	id := store.NewID()
	if err := k.Create(t.Context(), id, name); err != nil {
		t.Fatal(err)
	}
	return id
}

func use(ctx context.Context, k *keys.Service, id store.ID) error {
	return k.With(ctx, id, func(*keyring.Workspace) error { return nil })
}

func TestKeysOpenUnderTheirNameAndNoOther(t *testing.T) {
	storage := enginetest.NewStorage()
	k, _ := load(t, storage, nil)
	acme, other := create(t, k, "acme"), create(t, k, "other")
	for name, test := range map[string]struct {
		names map[string]store.ID
		opens map[store.ID]bool
	}{
		"own names":   {map[string]store.ID{"acme": acme, "other": other}, map[store.ID]bool{acme: true, other: true}},
		"swapped":     {map[string]store.ID{"acme": other, "other": acme}, nil},
		"one missing": {map[string]store.ID{"other": other}, map[store.ID]bool{other: true}},
		"one renamed": {map[string]store.ID{"third": acme, "other": other}, map[store.ID]bool{other: true}},
		"none":        {nil, nil},
	} {
		k, _ := load(t, storage.Clone(), test.names)
		for _, id := range []store.ID{acme, other} {
			err := use(t.Context(), k, id)
			if test.opens[id] != (err == nil) {
				t.Errorf("%s: %v", name, err)
			}
			if err != nil && (!fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "ws/<name>")) {
				t.Errorf("%s: the error does not name the record to restore: %v", name, err)
			}
		}
	}
}

func TestGenuineReturnsTheNameThatTheKeysAreWrappedFor(t *testing.T) {
	storage := enginetest.NewStorage()
	k, _ := load(t, storage, nil)
	acme := create(t, k, "acme")
	genuine := func(names ...string) string {
		t.Helper()
		name, err := k.Genuine(t.Context(), acme, names)
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	if got := genuine("a", "acme", "zoo"); got != "acme" {
		t.Errorf("got %q", got)
	}
	if got := genuine("a", "zoo"); got != "" {
		t.Errorf("without its own name: %q", got)
	}
	for name, damage := range map[string][]byte{"damaged": []byte("x"), "missing": nil} {
		storage.SetRaw("keys/"+string(acme), damage)
		if got := genuine("a", "acme"); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// The keys of a workspace whose record is missing stay wrapped under their master key version until
// the record is restored.
func TestKeysWithoutAWorkspaceWaitForItsRecord(t *testing.T) {
	storage := enginetest.NewStorage()
	k, _ := load(t, storage, nil)
	names := map[string]store.ID{"acme": create(t, k, "acme"), "other": create(t, k, "other")}
	entry := "keys/" + string(names["acme"])
	before := storage.Raw(entry)

	k, group := load(t, storage, map[string]store.ID{"other": names["other"]})
	if len(k.Health()) != 0 {
		t.Errorf("with one master key version: %q", k.Health())
	}
	if err := k.RotateMaster(t.Context(), caller.Request{}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second pass is the retry a minute later
		group.Wait()
		m := k.MasterStatus()
		if m.Waiting != 1 || m.Failed != 0 || m.Done != 1 || m.Total != 2 || len(m.Versions) != 2 {
			t.Errorf("status is %+v", m)
		}
		k.Start()
	}
	named := func(problem string) bool {
		return strings.Contains(problem, entry) && strings.Contains(problem, "ws/<name>")
	}
	if wrong := k.Health(); len(wrong) != 1 || !slices.ContainsFunc(wrong, named) {
		t.Errorf("health is %q", wrong)
	}
	if !slices.Equal(before, storage.Raw(entry)) {
		t.Error("the entry has changed")
	}

	k, group = load(t, storage, names)
	k.Start()
	group.Wait()
	if m := k.MasterStatus(); m.Waiting != 0 || m.Done != 2 || len(m.Versions) != 1 {
		t.Errorf("with the record restored, status is %+v", m)
	}
	if wrong := k.Health(); len(wrong) != 0 {
		t.Errorf("with the record restored: %q", wrong)
	}
	if err := use(t.Context(), k, names["acme"]); err != nil {
		t.Error(err)
	}
}
