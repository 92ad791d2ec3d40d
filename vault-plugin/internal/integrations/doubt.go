package integrations

import (
	"context"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// doubt is a change of which it is not known whether it was stored, for a storage call of it has failed. Storage is asked at once;
// while it does not answer, the doubt stands, and no other integration of the workspace is changed. What a deletion may have ended is
// closed meanwhile.
type doubt struct {
	at     place
	id     store.ID
	closes bool
}

// change holds back other changes to a workspace until unlock is called. Storage must tell first how the last one ended.
func (s *Service) change(ctx context.Context, call workspaces.Call, w string) (_ store.ID, unlock func(), err error) {
	ws, unlock, err := s.Tree.Change(ctx, call, w)
	if err != nil {
		return "", nil, err
	}
	if err := s.settle(ctx, ws); err != nil {
		unlock()
		return "", nil, fault.New(fault.Unavailable, "whether the last change to an integration of workspace %q was stored is not known, because storage failed; try again when it is well", w)
	}
	return ws, unlock, nil
}

// exclusively does work while other changes to the workspace with an id are held back; not on one that is locked or gone.
func (s *Service) exclusively(ctx context.Context, ws store.ID, work func() error) error {
	condition, _ := s.Tree.Condition(ws)
	got, unlock, err := s.change(ctx, workspaces.Call{}, condition.Name)
	if err != nil {
		return err
	}
	defer unlock()
	if got != ws {
		return fault.New(fault.NotFound, "the workspace was deleted meanwhile")
	}
	return work()
}

// unsure notes a change whose storage call has failed, and asks storage how it ended.
func (s *Service) unsure(ctx context.Context, d doubt) {
	s.mu.Lock()
	s.doubts[d.at.workspace] = d
	s.mu.Unlock()
	_ = s.settle(context.WithoutCancel(ctx), d.at.workspace) // Recheck tries again
}

// settle asks storage how a change ended, if that is not known. The caller holds the workspace's change lock.
func (s *Service) settle(ctx context.Context, ws store.ID) error {
	s.mu.RLock()
	d, open := s.doubts[ws]
	s.mu.RUnlock()
	if !open {
		return nil
	}
	if err := s.read(ctx, d.at); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.doubts, ws)
	delete(s.forming, d.id)
	_, stands := s.entries[d.at]
	s.mu.Unlock()
	if stands {
		s.tidy(ctx, d.at)
	} else {
		s.Orphaned()
	}
	s.changed(d.at, d.id)
	return nil
}

// Recheck asks storage how those changes ended of which it is not known.
func (s *Service) Recheck(ctx context.Context) {
	s.mu.RLock()
	var all []store.ID
	for ws := range s.doubts {
		all = append(all, ws)
	}
	s.mu.RUnlock()
	for _, ws := range all {
		if _, exists := s.Tree.Condition(ws); exists {
			_ = s.exclusively(ctx, ws, func() error { return nil })
			continue
		}
		s.mu.Lock() // deleted with its workspace
		delete(s.forming, s.doubts[ws].id)
		delete(s.doubts, ws)
		s.mu.Unlock()
	}
}

// open refuses what a deletion of unknown outcome may have ended. The caller holds mu.
func (s *Service) open(at place) error {
	if d, found := s.doubts[at.workspace]; found && d.closes && d.at == at {
		return fault.New(fault.Unavailable, "whether integration %s/%s was deleted is not known, because storage failed; try again when it is well", at.provider, at.name)
	}
	return nil
}
