package backend

import (
	"sync"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
)

// cachedView remembers what cannot change while a mount lives. The framework asks for the replication state with every request,
// and each answer is a call back to Vault: a quarter of the cost of a request that does nothing.
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

// ReplicationState asks once. Vault makes a new backend when a node changes its role.
func (v *cachedView) ReplicationState() consts.ReplicationState { return v.replication() }

// LocalMount asks once.
func (v *cachedView) LocalMount() bool { return v.local() }

// CachingDisabled asks once.
func (v *cachedView) CachingDisabled() bool { return v.uncached() }
