package syncs

import (
	"context"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// doubt is a change of which it is not known whether it was stored, for its storage call has failed. Storage is asked at once; while
// it does not answer, the doubt stands, and no other sync of the workspace is changed. What a deletion may have ended is closed meanwhile.
type doubt struct {
	home   home
	at     place
	closes bool
}

// change holds back other changes to a workspace until unlock is called. Storage must tell first how the last one ended.
func (s *Service) change(ctx context.Context, call workspaces.Call, w string) (unlock func(), err error) {
	ws, unlock, err := s.Tree.Change(ctx, call, w)
	if err != nil {
		return nil, err
	}
	if err := s.settle(ctx, ws); err != nil {
		unlock()
		return nil, fault.New(fault.Unavailable, "whether the last change to a sync of workspace %q was stored is not known, because storage failed; try again when it is well", w)
	}
	return unlock, nil
}

// exclusively does work on a sync that still exists while other changes to its workspace are held back.
func (s *Service) exclusively(ctx context.Context, id store.ID, work func(e *entry) error) error {
	e := s.byID(id)
	if e == nil {
		return errGone()
	}
	unlock, err := s.change(ctx, workspaces.Call{}, e.home.workspaceName)
	if err != nil {
		return err
	}
	defer unlock()
	if e = s.byID(id); e == nil {
		return errGone()
	}
	return work(e)
}

func errGone() error { return fault.New(fault.NotFound, "the sync was deleted meanwhile") }

// unsure notes a change whose storage call has failed, and asks storage how it ended.
func (s *Service) unsure(ctx context.Context, d doubt) {
	s.mu.Lock()
	s.doubts[d.home.workspace] = d
	s.mu.Unlock()
	_ = s.settle(context.WithoutCancel(ctx), d.home.workspace) // Recheck tries again
}

// settle asks storage how a change ended, if that is not known. The caller holds the workspace's change lock.
func (s *Service) settle(ctx context.Context, ws store.ID) error {
	s.mu.RLock()
	d, open := s.doubts[ws]
	s.mu.RUnlock()
	if !open {
		return nil
	}
	if err := s.read(ctx, d.home, d.at); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.doubts, ws)
	e := s.entries[d.at]
	s.mu.Unlock()
	if e == nil {
		s.Orphaned()
		return nil
	}
	s.renewed(e)
	return nil
}

// Recheck asks storage how those changes ended of which it is not known.
func (s *Service) Recheck(ctx context.Context) {
	s.mu.RLock()
	var all []doubt
	for _, d := range s.doubts {
		all = append(all, d)
	}
	s.mu.RUnlock()
	for _, d := range all {
		unlock, err := s.change(ctx, workspaces.Call{}, d.home.workspaceName)
		if err == nil {
			unlock()
			continue
		}
		if !s.Tree.Exists(d.home.workspaceName, "", "") { // deleted with its workspace
			s.mu.Lock()
			delete(s.doubts, d.home.workspace)
			s.mu.Unlock()
		}
	}
}
