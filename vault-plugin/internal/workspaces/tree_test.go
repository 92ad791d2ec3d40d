package workspaces_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/globs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/settings"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// keyring holds the ids of workspaces with keys, and the refusals of the locked ones.
type keyring struct {
	ids    map[store.ID]bool
	mu     sync.Mutex // workspaces are loaded, and their keys locked, at the same time
	locked map[store.ID]error
}

func (k *keyring) Create(_ context.Context, ws store.ID, _ string) error {
	k.ids[ws] = true
	return nil
}
func (k *keyring) SetName(store.ID, string) {}
func (k *keyring) Genuine(context.Context, store.ID, []string) (string, error) {
	return "", nil
}
func (k *keyring) MarkMissing(store.ID) {}
func (k *keyring) Shred(_ context.Context, ws store.ID) error {
	delete(k.ids, ws)
	return nil
}
func (k *keyring) Stored(_ context.Context, ws store.ID) (bool, error) { return k.ids[ws], nil }
func (k *keyring) IDs() []store.ID                                     { return slices.Collect(maps.Keys(k.ids)) }
func (k *keyring) Lock(ws store.ID, refusal error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.locked[ws] = refusal
}
func (k *keyring) Unlock(ws store.ID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.locked, ws)
}

// contents counts the frozen environments.
type contents struct{ frozen, most int }

func (c *contents) Freeze(store.ID) (int, func(bool)) {
	c.frozen++
	c.most = max(c.most, c.frozen)
	return 0, func(bool) { c.frozen-- }
}
func (c *contents) Count(store.ID) int { return 0 }
func (c *contents) Referring(context.Context, store.ID, map[string]bool) ([]string, error) {
	return nil, nil
}

// world is a tree with its storage.
type world struct {
	*testing.T
	*workspaces.Tree
	storage  *enginetest.Storage
	keys     *keyring
	contents *contents
}

func newWorld(t *testing.T, environments ...string) *world {
	w := &world{T: t, storage: enginetest.NewStorage(), keys: &keyring{ids: map[store.ID]bool{}}}
	w.restart()
	for _, p := range []workspaces.Path{{Workspace: "acme"}, {Workspace: "other"}} {
		if _, err := w.PutWorkspace(t.Context(), caller.Request{}, p.Workspace, false, func(*store.Workspace) {}); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range environments {
		w.put(e, func(*store.Environment) {})
	}
	return w
}

func (w *world) restart() {
	w.Helper()
	records, err := store.New(w.storage)
	if err != nil {
		w.Fatal(err)
	}
	config, err := settings.Load(w.Context(), records)
	if err != nil {
		w.Fatal(err)
	}
	group := jobs.NewGroup()
	w.Cleanup(func() { group.Stop(time.Second) })
	marks, err := undone.Load(w.Context(), records, w.keys, group)
	if err != nil {
		w.Fatal(err)
	}
	w.keys.locked, w.contents = map[store.ID]error{}, &contents{}
	w.Tree, err = workspaces.Load(w.Context(), workspaces.Deps{
		Store: records, Settings: config, Keys: w.keys, Contents: w.contents, Now: enginetest.NewClock().Now, Undone: marks,
	})
	if err != nil {
		w.Fatal(err)
	}
}

// path returns the path of an environment of acme, written as project/environment.
func path(environment string) workspaces.Path {
	p, e, _ := strings.Cut(environment, "/")
	return workspaces.Path{Workspace: "acme", Project: p, Environment: e}
}

// try creates or changes an environment, and its project before.
func (w *world) try(environment string, change func(*store.Environment)) error {
	w.Helper()
	at := path(environment)
	if _, err := w.PutProject(w.Context(), caller.Request{}, at.Parent(), func(*store.Project) {}); err != nil {
		w.Fatal(err)
	}
	_, err := w.PutEnvironment(w.Context(), caller.Request{}, at, change)
	return err
}

func (w *world) put(environment string, change func(*store.Environment)) {
	w.Helper()
	if err := w.try(environment, change); err != nil {
		w.Fatal(err)
	}
}

func (w *world) place(environment string) workspaces.Place {
	w.Helper()
	place, err := w.Find(caller.Request{}, path(environment))
	if err != nil {
		w.Fatal(err)
	}
	return place
}

// uses returns the error if from may not use target.
func (w *world) uses(from, target string) error {
	w.Helper()
	got, err := w.Shares(caller.Request{Mount: "stashbase/"}, w.place(from), path(target))
	if err == nil && got.Path() != path(target) {
		w.Errorf("%s uses %s, and gets %s", from, target, got.Path())
	}
	return err
}

func sharing(with ...string) func(*store.Environment) {
	return func(e *store.Environment) { e.SharedWith = with }
}

func based(on string) func(*store.Environment) {
	return func(e *store.Environment) { e.Base = on }
}

func production(on bool) func(*store.Environment) {
	return func(e *store.Environment) { e.Production = on }
}

func denied(err error) bool { return fault.Is(err, fault.Denied) }

func TestNothingIsSharedUnlessItsOwnerSaysSo(t *testing.T) {
	all := []string{"api/dev", "api/staging", "api/prod", "web/dev"}
	w := newWorld(t, all...)
	w.put("api/prod", production(true))
	for range 2 {
		for _, from := range all {
			for _, target := range all {
				if err := w.uses(from, target); denied(err) == (from == target) {
					t.Errorf("%s uses %s: %v", from, target, err)
				}
				if err := w.try(from, based(target)); from != target && (!denied(err) || !strings.Contains(err.Error(), "shared_with="+from)) {
					t.Errorf("%s inherits from %s: %v", from, target, err)
				}
			}
		}
		w.restart()
	}
	w.put("api/dev", sharing("api/prod", "web/*"))
	for range 2 {
		for _, from := range all {
			may := from != "api/staging"
			if err := w.uses(from, "api/dev"); denied(err) == may {
				t.Errorf("%s uses api/dev: %v", from, err)
			}
		}
		w.restart()
	}
	w.put("api/dev", sharing())
	if err := w.uses("web/dev", "api/dev"); !denied(err) {
		t.Errorf("after the owner took it back: %v", err)
	}
}

// The flag production shares nothing and takes nothing back, whenever it is set.
func TestProductionDoesNotChangeWhoMayUseAnEnvironment(t *testing.T) {
	w := newWorld(t, "api/dev", "api/live", "api/staging")
	w.put("api/dev", sharing("api/live"))
	w.put("api/live", based("api/dev"))
	for _, on := range []bool{true, false, true} {
		w.put("api/dev", production(on))
		w.put("api/live", production(!on))
		w.put("api/staging", production(on))
		if err := w.uses("api/live", "api/dev"); err != nil {
			t.Errorf("production %v: what is shared is refused: %v", on, err)
		}
		for _, pair := range [][2]string{{"api/staging", "api/dev"}, {"api/staging", "api/live"}, {"api/dev", "api/live"}, {"api/live", "api/staging"}} {
			if err := w.uses(pair[0], pair[1]); !denied(err) {
				t.Errorf("production %v: %s uses %s: %v", on, pair[0], pair[1], err)
			}
		}
	}
}

// At each step of a chain of bases, the environment that inherits directly must be allowed, not the
// one at the end of the chain.
func TestEachStepOfAChainOfBasesIsAllowedByItself(t *testing.T) {
	w := newWorld(t, "a/root", "b/middle", "c/leaf")
	w.put("a/root", sharing("b/middle"))
	w.put("b/middle", func(e *store.Environment) { e.Base, e.SharedWith = "a/root", []string{"c/leaf"} })
	w.put("c/leaf", based("b/middle"))
	if err := w.uses("c/leaf", "a/root"); !denied(err) {
		t.Errorf("the end of the chain uses its root: %v", err)
	}

	w.put("c/leaf", based(""))
	w.put("a/root", sharing("c/leaf"))
	err := w.try("c/leaf", based("b/middle"))
	if !denied(err) || !strings.Contains(err.Error(), "environment a/root is not shared with b/middle") || !strings.Contains(err.Error(), "environments/acme/a/root shared_with=b/middle") {
		t.Errorf("the step in the middle is not allowed: %v", err)
	}
	w.put("b/middle", func(e *store.Environment) { e.Description = "an unchanged base is accepted" })
}

func TestAChainOfBasesHasAnEndAndIsShort(t *testing.T) {
	w := newWorld(t)
	at := func(n int) string { return "api/e" + strings.Repeat("e", n) }
	w.put(at(0), sharing("api/*"))
	for n := 1; n < workspaces.MaxBases; n++ {
		w.put(at(n), func(e *store.Environment) { e.Base, e.SharedWith = at(n-1), []string{"api/*"} })
	}
	if err := w.try(at(workspaces.MaxBases), based(at(workspaces.MaxBases-1))); !fault.Is(err, fault.Limit) {
		t.Errorf("one base too many: %v", err)
	}
	for _, closes := range []string{at(0), at(1), at(5)} {
		if err := w.try(at(0), based(closes)); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "cycle") {
			t.Errorf("a base of %s: %v", closes, err)
		}
	}
	for _, missing := range []string{"api/none", "none/dev"} {
		if err := w.try(at(0), based(missing)); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "does not exist") {
			t.Errorf("a base of %s: %v", missing, err)
		}
	}
}

// An environment that was deleted and created again under its name is another environment: a
// request that began before does not continue with the new one.
func TestAReCreatedEnvironmentIsNotTakenForTheOldOne(t *testing.T) {
	w := newWorld(t, "api/dev", "api/shared")
	w.put("api/shared", sharing("api/dev"))
	old := w.place("api/dev")
	if _, err := w.DeleteEnvironment(t.Context(), caller.Request{}, path("api/dev"), ""); err != nil {
		t.Fatal(err)
	}
	use := func() error { _, err := w.Shares(caller.Request{}, old, path("api/shared")); return err }
	if err := use(); !fault.Is(err, fault.NotFound) {
		t.Errorf("a deleted environment: %v", err)
	}
	w.put("api/dev", func(*store.Environment) {})
	if err := use(); !fault.Is(err, fault.NotFound) {
		t.Errorf("an environment that was created again: %v", err)
	}
	if err := w.uses("api/dev", "api/shared"); err != nil {
		t.Errorf("the new environment itself: %v", err)
	}
	if _, err := w.DeleteEnvironment(t.Context(), caller.Request{}, path("api/shared"), ""); err != nil {
		t.Fatal(err)
	}
	w.put("api/shared", func(*store.Environment) {})
	if err := w.uses("api/dev", "api/shared"); !denied(err) {
		t.Errorf("a target that was created again is shared: %v", err)
	}
}

func TestPatternsOfSharingAreChecked(t *testing.T) {
	w := newWorld(t, "api/dev")
	many := slices.Repeat([]string{"api/*"}, globs.MaxPatterns)
	w.put("api/dev", sharing(many...))
	if err := w.try("api/dev", sharing(append(many, "api/*")...)); !fault.Is(err, fault.Limit) {
		t.Errorf("too many patterns: %v", err)
	}
	w.put("api/dev", sharing("api/"+strings.Repeat("x", globs.MaxBytes-4)))
	if err := w.try("api/dev", sharing("api/"+strings.Repeat("x", globs.MaxBytes-3))); !fault.Is(err, fault.Limit) {
		t.Errorf("a pattern that is too long: %v", err)
	}
	for _, wrong := range []string{"", "*", "api", "api/a/b", "api/["} {
		if err := w.try("api/dev", sharing("api/*", wrong)); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "shared_with:") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

func TestALockIsStoredWithItsReason(t *testing.T) {
	w := newWorld(t, "api/dev", "web/dev")
	ctx, call := t.Context(), caller.Request{Mount: "stashbase/"}
	reason := func(s string) *string { return &s }
	for name, c := range map[string]struct {
		reason *string
		kind   fault.Kind
	}{
		"too long":      {reason(strings.Repeat("x", workspaces.MaxLockReason+1)), fault.Limit},
		"a line end":    {reason("a\nb"), fault.Invalid},
		"an escape":     {reason("a\x1b[2J"), fault.Invalid},
		"invalid UTF-8": {reason("a\xff"), fault.Invalid},
	} {
		if _, err := w.Lock(ctx, call, "acme", c.reason); !fault.Is(err, c.kind) || !strings.HasPrefix(err.Error(), string(c.kind)+": reason:") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.Lock(ctx, call, "none", nil); !fault.Is(err, fault.NotFound) {
		t.Errorf("a missing workspace: %v", err)
	}
	id, err := w.WorkspaceID(call, "acme")
	if err != nil || w.Locked(id) || !w.Locked("none") || w.CheckLocked("acme") != nil {
		t.Fatalf("before: %v", err)
	}
	for _, step := range []struct {
		reason *string
		want   string
	}{{nil, ""}, {reason("incident 17"), "incident 17"}, {nil, "incident 17"}, {reason(""), ""}, {reason(strings.Repeat("é", workspaces.MaxLockReason/2)), strings.Repeat("é", workspaces.MaxLockReason/2)}} {
		got, err := w.Lock(ctx, call, "acme", step.reason)
		if err != nil || !got.Locked || got.LockReason != step.want {
			t.Fatalf("%+v, %v", got, err)
		}
		w.refuses(id, step.want)
		w.restart()
		w.refuses(id, step.want)
	}
	if got, err := w.Unlock(ctx, call, "acme"); err != nil || got.Locked || got.LockReason != "" {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := errors.Join(w.CheckLocked("acme"), w.keys.locked[id]); err != nil || w.Locked(id) {
		t.Errorf("after the unlock: %v", err)
	}
	w.restart()
	w.place("api/dev")
}

// refuses checks that a locked workspace refuses everything, with the reason and without a command.
func (w *world) refuses(id store.ID, reason string) {
	w.Helper()
	_, place := w.Find(caller.Request{}, path("api/dev"))
	_, put := w.PutWorkspace(w.Context(), caller.Request{}, "acme", false, func(*store.Workspace) {})
	_, deleted := w.DeleteWorkspace(w.Context(), caller.Request{}, "acme", "acme", func(store.ID) int { return 0 })
	_, project := w.PutProject(w.Context(), caller.Request{}, workspaces.Path{Workspace: "acme", Project: "new"}, func(*store.Project) {})
	condition, _ := w.Condition(id)
	for name, err := range map[string]error{
		"Find": place, "PutWorkspace": put, "DeleteWorkspace": deleted, "PutProject": project, "CheckLocked": w.CheckLocked("acme"),
		"the keys": w.keys.locked[id], "Exclusively": w.Exclusively(w.Context(), id, func() error { return nil }),
		"the condition": fault.New(fault.Locked, "%s", condition.Refusal()),
	} {
		if !fault.Is(err, fault.Locked) || reason != "" && !strings.HasSuffix(err.Error(), ": "+reason) || strings.Contains(err.Error(), "unlock") {
			w.Errorf("%s returned %v", name, err)
		}
	}
	if !w.Locked(id) || !condition.Locked {
		w.Error("the workspace is not locked")
	}
	if _, err := w.Workspace("acme"); err != nil {
		w.Errorf("the workspace's own record: %v", err)
	}
	if err := w.CheckLocked("other"); err != nil {
		w.Errorf("another workspace: %v", err)
	}
}

// A lock waits for the writes in all environments of the workspace, and a lock whose Put fails
// takes effect if it was stored.
func TestALockOfUnknownOutcomeFollowsStorage(t *testing.T) {
	for _, stored := range []bool{false, true} {
		w := newWorld(t, "api/dev", "web/dev")
		id, err := w.WorkspaceID(caller.Request{}, "acme")
		if err != nil {
			t.Fatal(err)
		}
		w.storage.FailFrom(1, stored)
		if _, err := w.Lock(t.Context(), caller.Request{}, "acme", nil); err == nil {
			t.Fatal("a lock without storage succeeded")
		}
		if w.contents.most != 2 || w.contents.frozen != 0 {
			t.Errorf("%d environments were frozen, and %d still are", w.contents.most, w.contents.frozen)
		}
		w.storage.Reset()
		w.Recheck(t.Context())
		if w.Locked(id) != stored || (w.keys.locked[id] != nil) != stored {
			t.Errorf("stored %v: locked is %v, and the keys are refused with %v", stored, w.Locked(id), w.keys.locked[id])
		}
	}
}
