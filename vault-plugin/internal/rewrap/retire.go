package rewrap

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// SetAutoRotate sets how old a workspace's latest key version may get before it is rotated; 0 is for ever.
func (s *Service) SetAutoRotate(ctx context.Context, _ caller.Request, ws store.ID, period time.Duration) error {
	_, err := s.keys.SetAutoRotate(ctx, ws, period)
	return err
}

// SetMinDecryption rules out a workspace's key versions below lowest. It is refused while something stored may need them, unless
// it is forced.
func (s *Service) SetMinDecryption(ctx context.Context, call caller.Request, name string, ws store.ID, lowest uint32, force bool) error {
	if err := s.mayRetire(ctx, call, name, ws, lowest, force); err != nil {
		return err
	}
	_, err := s.keys.SetMinDecryption(ctx, ws, lowest)
	return err
}

// Trim destroys a workspace's key versions below the minimum. It is refused while something stored may need them, unless it is
// forced; what is sealed under them is then lost for ever.
func (s *Service) Trim(ctx context.Context, call caller.Request, name string, ws store.ID, force bool) error {
	entry, _ := s.keys.Entry(ws)
	// The minimum may have been forced, so what it rules out is looked for again.
	if !force && (entry.Rewrap.State != store.RewrapDone || entry.Rewrap.Target < entry.MinDecryption) {
		if err := s.refuseBelow(ctx, call, name, ws, entry.MinDecryption); err != nil {
			return err
		}
	}
	_, err := s.keys.Trim(ctx, ws)
	return err
}

func (s *Service) mayRetire(ctx context.Context, call caller.Request, name string, ws store.ID, lowest uint32, force bool) error {
	entry, _ := s.keys.Entry(ws)
	if force || entry.Covered(lowest) || lowest > entry.Latest {
		return nil // one beyond the latest is refused by the keyring, with what would be right
	}
	return s.refuseBelow(ctx, call, name, ws, lowest)
}

func (s *Service) refuseBelow(ctx context.Context, call caller.Request, name string, ws store.ID, lowest uint32) error {
	var found []string
	for _, k := range s.kinds {
		below, err := k.Below(ctx, ws, lowest)
		if err != nil {
			return fmt.Errorf("look for %s sealed under older keys: %w", k.name, err)
		}
		found = append(found, below...)
	}
	if len(found) == 0 {
		return nil
	}
	return fault.New(fault.Conflict, "key versions below %d may still be needed, by: %s; seal all again first with: vault write -force %skeys/%s/rewrap, "+
		"or give force=true after an exposure, to lose what is sealed under them", lowest, strings.Join(found, ", "), call.Mount, name)
}
