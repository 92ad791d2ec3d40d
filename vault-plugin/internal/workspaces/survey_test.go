package workspaces

import (
	"context"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/settings"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// unlocked is content that fails the test if its secrets are counted while the tree is locked.
type unlocked struct {
	t       *testing.T
	tree    *Tree
	counted int
}

func (u *unlocked) Count(store.ID) int {
	if !u.tree.mu.TryLock() {
		u.t.Error("secrets are counted while the requests of all tenants wait for the tree")
		return 0
	}
	u.tree.mu.Unlock()
	u.counted++
	return 2
}

func (u *unlocked) Freeze(store.ID) (int, func(bool)) { return 0, func(bool) {} }

func (u *unlocked) Referring(context.Context, store.ID, map[string]bool) ([]string, error) {
	return nil, nil
}

// A tenant decides how many environments the tree looks at, so it does not hold the lock meanwhile.
func TestSecretsAreCountedWhileTheTreeIsNotLocked(t *testing.T) {
	storage, err := store.New(&logical.InmemStorage{})
	if err != nil {
		t.Fatal(err)
	}
	config, err := settings.Load(t.Context(), storage)
	if err != nil {
		t.Fatal(err)
	}
	content := &unlocked{t: t}
	tree := &Tree{contents: content, settings: config, workspaces: make(map[string]*workspace)}
	content.tree = tree
	ws := &workspace{record: &store.Workspace{ID: "w"}, projects: make(map[string]*project)}
	tree.workspaces["acme"] = ws
	for _, p := range []string{"api", "web"} {
		ws.projects[p] = &project{record: &store.Project{ID: store.ID(p)}, environments: map[string]*store.Environment{
			"one": {ID: store.ID(p + "1")}, "two": {ID: store.ID(p + "2")},
		}}
	}
	whole, one := Counts{Projects: 2, Environments: 4, Secrets: 8}, Counts{Environments: 2, Secrets: 4}
	mount := whole
	mount.Workspaces = 1
	path := Path{Workspace: "acme", Project: "api"}
	for name, count := range map[string]func() (got, want Counts){
		"the mount":      func() (got, want Counts) { return tree.Counts(), mount },
		"a workspace":    func() (got, want Counts) { return tree.countsOf(ws, ""), whole },
		"a project":      func() (got, want Counts) { return tree.countsOf(ws, "web"), one },
		"all workspaces": func() (got, want Counts) { return tree.Workspaces()[0].Counts, whole },
		"one workspace": func() (got, want Counts) {
			found, err := tree.Workspace("acme")
			if err != nil {
				t.Error(err)
			}
			return found.Counts, whole
		},
		"one project": func() (got, want Counts) {
			found, err := tree.Project(caller.Request{}, path)
			if err != nil {
				t.Error(err)
			}
			return found.Counts, one
		},
		"all projects": func() (got, want Counts) {
			found, err := tree.Projects(caller.Request{}, "acme")
			if err != nil || len(found) != 2 || found[0].Name != "api" {
				t.Errorf("%v, %v", found, err)
			}
			return found[1].Counts, one
		},
		"the environments of a project": func() (got, want Counts) {
			found, err := tree.ProjectEnvironments(caller.Request{}, path)
			if err != nil || len(found) != 2 || found[0].Name != "one" {
				t.Errorf("%v, %v", found, err)
			}
			return Counts{Environments: 2, Secrets: found[0].Secrets + found[1].Secrets}, one
		},
	} {
		before := content.counted
		if got, want := count(); got != want || content.counted == before {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}
