package connect

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/stashbase/vault-stashbase/shared/client"
)

// snapshots holds the metadata of environments for one run, so that a refresh of many secrets asks once for each environment.
type snapshots struct {
	mu    sync.Mutex
	taken map[environment]*snapshot
}

type environment struct {
	namespace string
	place     client.Place
}

// snapshot is read by the first who asks; the others wait for it.
type snapshot struct {
	once    sync.Once
	secrets map[string]client.Version
	err     error
}

// Metadata answers what is known of a secret as of the first question about its environment in this run, or since the last Forget;
// false when the environment has no such secret. A token that may read the metadata of single secrets only costs a request for
// each.
func (c *Connection) Metadata(ctx context.Context, vault *client.Client, at client.Place, name string) (client.Version, bool, error) {
	all, err := c.AllMetadata(ctx, vault, at)
	if client.Is(err, client.NoPermission) {
		one, err := vault.SecretMetadata(ctx, at, name)
		var e *client.Error
		switch {
		case err == nil:
			return *one, true, nil
		case errors.As(err, &e) && e.Kind == client.NotFound && e.Status == http.StatusNotFound:
			return client.Version{}, false, nil // a missing parent would be a 400
		default:
			return client.Version{}, false, err
		}
	}
	found, ok := all[name]
	return found, ok, err
}

// AllMetadata is Metadata for all secrets of an environment, by name.
func (c *Connection) AllMetadata(ctx context.Context, vault *client.Client, at client.Place) (map[string]client.Version, error) {
	taken := c.snapshot(vault.Namespace(), at)
	taken.once.Do(func() { taken.secrets, taken.err = vault.Metadata(ctx, at) })
	return taken.secrets, taken.err
}

// Forget makes the next question about an environment a request: after a write to it.
func (c *Connection) Forget(namespace string, at client.Place) {
	c.metadata.mu.Lock()
	defer c.metadata.mu.Unlock()
	delete(c.metadata.taken, environment{namespace, at})
}

func (c *Connection) snapshot(namespace string, at client.Place) *snapshot {
	c.metadata.mu.Lock()
	defer c.metadata.mu.Unlock()
	if c.metadata.taken == nil {
		c.metadata.taken = map[environment]*snapshot{}
	}
	key := environment{namespace, at}
	if c.metadata.taken[key] == nil {
		c.metadata.taken[key] = &snapshot{}
	}
	return c.metadata.taken[key]
}
