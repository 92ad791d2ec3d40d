package integrations_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/activity"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/integrations"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/secrets"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/settings"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// world is the service with its dependencies. Its only provider is a toy.
type world struct {
	*integrations.Service
	t       *testing.T
	tree    *workspaces.Tree
	storage *enginetest.Storage
	server  *toy.Server
	jobs    *jobs.Group
	undone  *undone.Service
	call    caller.Request
}

func newWorld(t *testing.T) *world {
	t.Helper()
	toys, server := toy.New()
	registry, err := provider.NewRegistry(toys)
	must(t, err)
	w := &world{t: t, server: server, storage: enginetest.NewStorage(), call: caller.Request{Mount: "stashbase/"}}
	s, err := store.New(w.storage)
	must(t, err)
	clock, group, ctx := enginetest.NewClock(), jobs.NewGroup(), t.Context()
	config, err := settings.Load(ctx, s)
	must(t, err)
	k, err := keys.Load(ctx, s, group, clock.Now)
	must(t, err)
	contents := secrets.New(s, k, group, clock.Now)
	w.jobs = group
	w.undone, err = undone.Load(ctx, s, k, group)
	must(t, err)
	config.Watch(k.Configure)
	w.tree, err = workspaces.Load(ctx, workspaces.Deps{Store: s, Settings: config, Keys: k, Contents: contents, Now: clock.Now, Undone: w.undone})
	must(t, err)
	must(t, contents.Load(ctx, w.tree))
	w.Service, err = integrations.Load(ctx, integrations.Deps{
		Store: s, Keys: k, Tree: w.tree, Settings: config, Jobs: group, Gateway: outbound.NewGateway(outbound.Options{}),
		Providers: registry, Clock: clock, Undone: w.undone, Activity: activity.ToLog(hclog.NewNullLogger()),
	})
	must(t, err)
	_, err = w.tree.PutWorkspace(ctx, w.call, "acme", false, func(*store.Workspace) {})
	must(t, err)
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// main is the path of the integration that the tests write.
var main = integrations.Path{Workspace: "acme", Provider: toy.Name, Name: "main"}

// put writes the integration main, and returns it.
func (w *world) put(c integrations.Change) integrations.Integration {
	w.t.Helper()
	_, err := w.Put(w.t.Context(), w.call, main, false, c)
	must(w.t, err)
	found, err := w.Find(w.call, main)
	must(w.t, err)
	return found
}

// key returns a credential that the toy accepts.
func (w *world) key() map[string][]byte { return map[string][]byte{"key": []byte(w.server.Key())} }

// use uses the credential once, and returns the key that With opened.
func (w *world) use(u integrations.Use) (opened string, err error) {
	err = w.With(w.t.Context(), u, func(_ context.Context, _ provider.Provider, s *provider.Session) error {
		opened = s.Credential.Text("key")
		return nil
	})
	return opened, err
}

func TestGrantsLimitTheUseOfACredential(t *testing.T) {
	w := newWorld(t)
	found := w.put(integrations.Change{Secrets: w.key()})
	list := func(patterns ...string) *[]string { return &patterns }
	for _, c := range []struct {
		environments, targets *[]string
		environment, target   string
		refusedBy             string
	}{
		{list(), list(), "", "", ""},
		{list(), list("*"), "api/dev", "top", "allowed_environments"},
		{list("*"), list(), "api/dev", "top", "allowed_targets"},
		{list("*"), list("*"), "api/dev", "acme/api", ""},
		{list("api/*"), list("*"), "api/dev", "top", ""},
		{list("api/*"), list("*"), "web/dev", "top", "allowed_environments"},
		{list("api/de?"), list("*"), "api/prod", "top", "allowed_environments"},
		{list("*/dev"), list("acme/*"), "web/dev", "acme/api", ""},
		{list("*/dev"), list("acme/*"), "web/dev", "acme/api/deep", "allowed_targets"},
		{list("*/dev"), list("acme/*"), "web/dev", "acme2/api", "allowed_targets"},
		{list("api/dev"), list("top", "low"), "api/dev", "low", ""},
	} {
		w.put(integrations.Change{AllowedEnvironments: c.environments, AllowedTargets: c.targets})
		// found has no grants, because it is older than this write. The current grants apply.
		opened, err := w.use(integrations.Use{Integration: found, Environment: c.environment, Target: c.target})
		what := fmt.Sprint(*c.environments, *c.targets, " for ", c.environment, " on ", c.target)
		switch {
		case c.refusedBy == "" && (err != nil || opened != w.server.Key()):
			t.Errorf("%s: the use was refused: %v", what, err)
		case c.refusedBy != "" && (outbound.ClassOf(err) != outbound.Permission || !strings.Contains(err.Error(), c.refusedBy) || opened != ""):
			t.Errorf("%s: With returned %v, want class permission and %s", what, err, c.refusedBy)
		}
	}
}

func TestCredentialIsWipedAfterItsUse(t *testing.T) {
	w := newWorld(t)
	found := w.put(integrations.Change{Secrets: w.key()})
	var kept *provider.Session
	must(t, w.With(t.Context(), integrations.Use{Integration: found}, func(_ context.Context, _ provider.Provider, s *provider.Session) error {
		kept = s
		if printed := fmt.Sprintf("%v %+v %#v", s, s, *s); strings.Contains(printed, w.server.Key()) {
			t.Error("a printed session contains the credential")
		}
		return nil
	}))
	if strings.Trim(kept.Credential.Text("key"), "\x00") != "" {
		t.Error("the credential was not wiped")
	}
}

func TestDeleteEndsTheUsesOfAnIntegration(t *testing.T) {
	w := newWorld(t)
	found := w.put(integrations.Change{Secrets: w.key()})
	begun, ended := make(chan struct{}), make(chan error)
	go func() {
		ended <- w.With(context.Background(), integrations.Use{Integration: found}, func(ctx context.Context, _ provider.Provider, _ *provider.Session) error {
			close(begun)
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	<-begun
	_, err := w.Delete(t.Context(), w.call, main)
	must(t, err)
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the use in progress returned %v, want context.Canceled", err)
	}
	if _, err := w.use(integrations.Use{Integration: found}); !errors.Is(err, integrations.ErrGone) {
		t.Errorf("a use after the deletion returned %v, want ErrGone", err)
	}
	// A new integration of the same name has another id, so found does not refer to it.
	w.put(integrations.Change{Secrets: w.key()})
	if _, err := w.use(integrations.Use{Integration: found}); !errors.Is(err, integrations.ErrGone) {
		t.Errorf("a use of the deleted integration returned %v after a new one was created, want ErrGone", err)
	}
}

func TestDeleteFailsWhileSyncsUseTheIntegration(t *testing.T) {
	w := newWorld(t)
	syncs := []integrations.Dependent{{Name: "api/dev/toy-shelf/b"}, {Name: "api/dev/toy-shelf/a"}}
	w.AddDependents(func(store.ID) []integrations.Dependent { return syncs })
	w.put(integrations.Change{Secrets: w.key()})
	_, err := w.Delete(t.Context(), w.call, main)
	var refused *fault.Error
	if !errors.As(err, &refused) || refused.Status != http.StatusConflict || !strings.Contains(refused.Text, "api/dev/toy-shelf/a, api/dev/toy-shelf/b") {
		t.Errorf("Delete returned %v, want a conflict that lists the syncs sorted", err)
	}
	syncs = nil
	_, err = w.Delete(t.Context(), w.call, main)
	must(t, err)
}

func TestWatchersAreCalledAfterEachChange(t *testing.T) {
	w := newWorld(t)
	var notified []store.ID
	w.Watch(func(_, id store.ID) { notified = append(notified, id) })
	found := w.put(integrations.Change{Secrets: w.key()})
	w.put(integrations.Change{AllowedTargets: &[]string{"*"}})
	_, err := w.Delete(t.Context(), w.call, main)
	must(t, err)
	if len(notified) != 3 || notified[0] != found.ID || notified[2] != found.ID {
		t.Errorf("watchers were called for %v", notified)
	}
}

func TestDeletionOfUnknownOutcomeClosesTheIntegrationUntilStorageWorks(t *testing.T) {
	for _, stored := range []bool{false, true} {
		w := newWorld(t)
		found := w.put(integrations.Change{Secrets: w.key()})
		w.storage.FailFrom(2, stored) // after the mark of the deletion
		if _, err := w.Delete(t.Context(), w.call, main); err == nil {
			t.Fatal("Delete succeeded, but its outcome is unknown")
		}
		if _, err := w.use(integrations.Use{Integration: found}); !errors.Is(err, integrations.ErrGone) {
			t.Errorf("a use returned %v, want ErrGone", err)
		}
		if _, err := w.Find(w.call, main); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Find returned %v, want unavailable", err)
		}
		if _, err := w.Put(t.Context(), w.call, integrations.Path{Workspace: "acme", Provider: toy.Name, Name: "other"}, false, integrations.Change{Secrets: w.key()}); err == nil {
			t.Error("another change succeeded before the outcome was known")
		}
		w.storage.Reset()
		w.Tree.Recheck(t.Context())
		_, err := w.Find(w.call, main)
		if deleted := fault.Is(err, fault.NotFound); deleted != stored {
			t.Errorf("stored %t: after the recheck, Find returned %v", stored, err)
		}
		w.jobs.Wait()
		for _, key := range w.storage.Keys() {
			if strings.HasPrefix(key, "undone/") || stored && strings.HasPrefix(key, "cred/") {
				t.Errorf("stored %t: the storage key %s remains", stored, key)
			}
		}
	}
}

func TestUsesSucceedDuringChanges(t *testing.T) {
	w := newWorld(t)
	found := w.put(integrations.Change{Secrets: w.key()})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range 50 {
			c := integrations.Change{Settings: map[string]any{"page_size": n + 1}}
			if n%5 == 0 {
				c.Secrets = w.key()
			}
			if _, err := w.Put(context.Background(), w.call, main, false, c); err != nil {
				t.Errorf("change %d: %v", n, err)
			}
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		if opened, err := w.use(integrations.Use{Integration: found}); err != nil || opened != w.server.Key() {
			t.Fatalf("a use returned %v", err)
		}
		if _, err := w.List(w.call, "acme", ""); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzAllows(f *testing.F) {
	f.Add("*", "a/b")
	f.Add("api/*", "api/dev/x")
	f.Add("[", "a")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if pattern == "*" && !integrations.Allows([]string{pattern}, name) {
			t.Errorf("the pattern * does not match %q", name)
		}
		if integrations.Allows(nil, name) {
			t.Errorf("an empty grant matches %q", name)
		}
		_ = integrations.Allows([]string{pattern}, name)
	})
}

// A record of an older version can hold another form of a fixed setting. It is the same setting, so
// that a write of any other field succeeds.
func TestStoredSettingsAreReadInTheirNormalForm(t *testing.T) {
	fields := []provider.Field{{Name: "mount", Help: "A mount.", Fixed: true, Normal: func(text string) string { return strings.Trim(text, "/") }}}
	current := integrations.ValuesOf(fields, map[string]store.Setting{"mount": {Text: "team/"}})
	if current.Text("mount") != "team" {
		t.Errorf("the setting is read as %q", current.Text("mount"))
	}
	for given, fits := range map[string]bool{"team": true, "/team/": true, "other": false} {
		values, err := integrations.Merge("sync", fields, current, map[string]any{"mount": given})
		if (err == nil) != fits || fits && values.Text("mount") != "team" {
			t.Errorf("%q: %v, %v", given, values, err)
		}
	}
	if _, err := integrations.Merge("sync", fields, current, nil); err != nil {
		t.Errorf("a write of another field: %v", err)
	}
}
