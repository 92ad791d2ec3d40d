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

// SetAutoRotate sets the age at which a workspace's latest key version is rotated; 0 means never.
func (s *Service) SetAutoRotate(ctx context.Context, _ caller.Request, ws store.ID, period time.Duration) error {
	_, err := s.keys.SetAutoRotate(ctx, ws, period)
	return err
}

// SetMinDecryption excludes a workspace's key versions below lowest. It fails if a stored record
// may need them, unless force is set.
func (s *Service) SetMinDecryption(ctx context.Context, call caller.Request, name string, ws store.ID, lowest uint32, force bool) error {
	if err := s.mayRetire(ctx, call, name, ws, lowest, force); err != nil {
		return err
	}
	_, err := s.keys.SetMinDecryption(ctx, ws, lowest)
	return err
}

// Trim destroys a workspace's key versions below the minimum. It fails if a stored record may need
// them, unless force is set. With force, what is sealed under them is lost permanently.
func (s *Service) Trim(ctx context.Context, call caller.Request, name string, ws store.ID, force bool) error {
	// The records are counted again. The minimum may have been set with force, or a record may have
	// been restored after the rewrap.
	if entry, _ := s.keys.Entry(ws); !force {
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
		return nil // the keyring rejects a version beyond the latest, and its error gives the valid range
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
	return fault.New(fault.Conflict, "records may still need key versions below %d: %s; rewrap first with: vault write -force %skeys/%s/rewrap, "+
		"or pass force=true after an exposure, which loses what is sealed under them", lowest, strings.Join(found, ", "), call.Mount, name)
}
