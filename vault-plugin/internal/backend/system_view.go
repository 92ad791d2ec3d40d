package backend

import (
	"sync"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
)

// cachedView caches values that do not change during the life of a mount. The framework reads the
// replication state in every request, and each read is a call back to Vault. Without the cache,
// that call is a quarter of the cost of a request that does nothing.
type cachedView struct {
	logical.SystemView
	replication func() consts.ReplicationState
	local       func() bool
	uncached    func() bool
}

func cacheSystemView(view logical.SystemView) logical.SystemView {
	if view == nil {
		return nil
	}
	return &cachedView{
		SystemView:  view,
		replication: sync.OnceValue(view.ReplicationState),
		local:       sync.OnceValue(view.LocalMount),
		uncached:    sync.OnceValue(view.CachingDisabled),
	}
}

// ReplicationState returns the cached state. Vault creates a new backend when a node changes its
// role.
func (v *cachedView) ReplicationState() consts.ReplicationState { return v.replication() }

// LocalMount returns the cached value.
func (v *cachedView) LocalMount() bool { return v.local() }

// CachingDisabled returns the cached value.
func (v *cachedView) CachingDisabled() bool { return v.uncached() }
