package connect

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/stashbase/vault-stashbase/shared/client"
)

// snapshots caches the metadata of environments for one run. A refresh of many secrets makes one
// request for each environment.
type snapshots struct {
	mu    sync.Mutex
	taken map[environment]*snapshot
}

type environment struct {
	namespace string
	place     client.Place
}

// snapshot is filled by its first reader; other readers wait for that request.
type snapshot struct {
	once    sync.Once
	secrets map[string]client.Version
	err     error
}

// Metadata returns the metadata of a secret, and false if the environment has no such secret. The
// metadata is that of the first request for the environment in this run, or since the last Forget.
// If the token may not read the metadata of the environment, each secret costs its own request.
func (c *Connection) Metadata(ctx context.Context, vault *client.Client, at client.Place, name string) (client.Version, bool, error) {
	all, err := c.AllMetadata(ctx, vault, at)
	if client.Is(err, client.NoPermission) {
		one, err := vault.SecretMetadata(ctx, at, name)
		var e *client.Error
		switch {
		case err == nil:
			return *one, true, nil
		case errors.As(err, &e) && e.Kind == client.NotFound && e.Status == http.StatusNotFound:
			return client.Version{}, false, nil // a missing environment is status 400
		default:
			return client.Version{}, false, err
		}
	}
	found, ok := all[name]
	return found, ok, err
}

// AllMetadata returns the metadata of all secrets of an environment, by name, as Metadata does.
func (c *Connection) AllMetadata(ctx context.Context, vault *client.Client, at client.Place) (map[string]client.Version, error) {
	taken := c.snapshot(vault.Namespace(), at)
	taken.once.Do(func() { taken.secrets, taken.err = vault.Metadata(ctx, at) })
	return taken.secrets, taken.err
}

// Forget drops the cached metadata of an environment. Call it after a write.
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
