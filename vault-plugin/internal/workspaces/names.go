package workspaces

import (
	"context"
	"slices"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// nameKeys gives the key service the name of every workspace. Where several records hold one id, all but one were copied or moved
// there: the genuine one is that whose name the keys are wrapped for, and the others are left out as damaged.
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
				t.keys.SetLocked(id, t.workspaces[name].record.Locked)
				continue
			}
			t.damaged = append(t.damaged, workspacePlace(name))
			delete(t.workspaces, name)
		}
		if genuine == "" {
			delete(t.ids.workspaces, id)
		}
	}
	return nil
}
