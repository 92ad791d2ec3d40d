package client

import (
	"context"
	"net/url"
	"strconv"
)

// Settings are the fields of an integration or a sync by their names, as encoding/json decodes them, numbers as json.Number. They
// are a map rather than a struct because each provider declares its own.
type Settings = map[string]any

// IntegrationPlace is where an integration is.
type IntegrationPlace struct{ Workspace, Provider, Name string }

func (p IntegrationPlace) path() string {
	return below("integrations", p.Workspace, p.Provider, p.Name)
}

// Integration reads an integration. Of its credential it answers whether it is set, and in which generation.
func (c *Client) Integration(ctx context.Context, at IntegrationPlace) (Settings, error) {
	return c.read(ctx, at.path())
}

// WriteIntegration creates an integration, or changes the fields given; nil resets one to its default.
func (c *Client) WriteIntegration(ctx context.Context, at IntegrationPlace, given Settings) (Settings, error) {
	return c.write(ctx, at.path(), given)
}

// DeleteIntegration deletes an integration and its credential; the engine refuses while a sync uses it.
func (c *Client) DeleteIntegration(ctx context.Context, at IntegrationPlace) error {
	return c.remove(ctx, at.path(), nil)
}

// SyncPlace is where a sync is.
type SyncPlace struct {
	Source            Place
	Destination, Name string
}

func (p SyncPlace) path(more ...string) string {
	return p.Source.below("syncs", append([]string{p.Destination, p.Name}, more...)...)
}

// Sync reads a sync.
func (c *Client) Sync(ctx context.Context, at SyncPlace) (Settings, error) {
	return c.read(ctx, at.path())
}

// WriteSync creates a sync, or changes the fields given; nil resets one to its default.
func (c *Client) WriteSync(ctx context.Context, at SyncPlace, given Settings) (Settings, error) {
	return c.write(ctx, at.path(), given)
}

// DeleteSync deletes a sync; purge deletes what it has written at the destination as well.
func (c *Client) DeleteSync(ctx context.Context, at SyncPlace, purge bool) error {
	return c.remove(ctx, at.path(), url.Values{"purge": {strconv.FormatBool(purge)}})
}

// SyncStatus tells how a sync is, key by key.
func (c *Client) SyncStatus(ctx context.Context, at SyncPlace) (Settings, error) {
	return c.read(ctx, at.path("status"))
}

// SyncPlan tells what the next run would do, key by key and without values.
func (c *Client) SyncPlan(ctx context.Context, at SyncPlace) (Settings, error) {
	return c.read(ctx, at.path("plan"))
}

func (c *Client) read(ctx context.Context, path string) (Settings, error) {
	answer := Settings{}
	if err := c.get(ctx, path, nil, &answer); err != nil {
		return nil, err
	}
	return answer, nil
}

func (c *Client) write(ctx context.Context, path string, given Settings) (Settings, error) {
	answer := Settings{}
	for _, value := range given {
		if value == nil { // which only a patch takes
			if err := c.patch(ctx, path, given, &answer); err != nil {
				return nil, err
			}
			return answer, nil
		}
	}
	if err := c.put(ctx, path, given, &answer); err != nil {
		return nil, err
	}
	return answer, nil
}
