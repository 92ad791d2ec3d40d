package workspaces

import (
	"context"
	"slices"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// nameKeys passes the name of every workspace to the key service. If several records hold the same
// id, all but one of them were copied or moved in storage. The genuine record is the one whose name
// the keys are wrapped for; the others count as damaged.
func (t *Tree) nameKeys(ctx context.Context) error {
	names := make(map[store.ID][]string, len(t.workspaces))
	for name, ws := range t.workspaces {
		names[ws.record.ID] = append(names[ws.record.ID], name)
	}
	for id, same := range names {
		if len(same) == 1 {
			t.keys.SetName(id, same[0])
			continue
		}
		slices.Sort(same)
		genuine, err := t.keys.Genuine(ctx, id, same)
		if err != nil {
			return err
		}
		for _, name := range same {
			if name == genuine {
				t.ids.workspaces[id] = name
				t.keys.SetName(id, name)
				t.lockKeys(name, t.workspaces[name].record)
				continue
			}
			t.damaged = append(t.damaged, workspaceKey(name))
			delete(t.workspaces, name)
		}
		if genuine == "" {
			delete(t.ids.workspaces, id)
		}
	}
	return nil
}

// refuseCopies makes projects and environments count as damaged if another record holds the same
// id. All but one of the records were copied in storage, and nothing shows which one was not. If
// any of them could be deleted, the sweep would remove what belongs to the genuine one.
func (t *Tree) refuseCopies() {
	projects := make(map[store.ID][]func())
	for _, ws := range t.workspaces {
		for name, p := range ws.projects {
			projects[p.record.ID] = append(projects[p.record.ID], func() {
				t.forgetProject(p)
				delete(ws.projects, name)
				t.damaged = append(t.damaged, projectKey(ws, name))
			})
		}
	}
	callShared(projects)
	environments := make(map[store.ID][]func())
	for _, ws := range t.workspaces {
		for _, p := range ws.projects {
			for name, env := range p.environments {
				environments[env.ID] = append(environments[env.ID], func() {
					delete(t.ids.environments, env.ID)
					delete(p.environments, name)
					t.damaged = append(t.damaged, environmentKey(p, name))
				})
			}
		}
	}
	callShared(environments)
}

// callShared calls the functions of each id that has more than one.
func callShared(byID map[store.ID][]func()) {
	for _, same := range byID {
		if len(same) == 1 {
			continue
		}
		for _, refuse := range same {
			refuse()
		}
	}
}
