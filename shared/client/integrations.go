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

// Integrations lists the integrations of a workspace, as provider/name.
func (c *Client) Integrations(ctx context.Context, workspace string) ([]string, error) {
	return c.list(ctx, below("integrations", workspace))
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

// Syncs lists the syncs of an environment, as destination/name.
func (c *Client) Syncs(ctx context.Context, source Place) ([]string, error) {
	return c.list(ctx, source.below("syncs"))
}

// DeleteSync deletes a sync; purge deletes what it has written at the destination as well.
func (c *Client) DeleteSync(ctx context.Context, at SyncPlace, purge bool) error {
	return c.remove(ctx, at.path(), url.Values{"purge": {strconv.FormatBool(purge)}})
}

// SyncStatus tells how a sync is, key by key.
func (c *Client) SyncStatus(ctx context.Context, at SyncPlace) (Settings, error) {
	return c.read(ctx, at.path("status"))
}

// SyncPlan is what a run of a sync would do.
type SyncPlan struct {
	Blocked string         `json:"blocked"` // why it would do nothing; "" where it would
	Actions []SyncAction   `json:"actions"` // by name
	Counts  map[string]int `json:"counts"`  // of each action
}

// SyncAction is what a run would do about one entry at the destination.
type SyncAction struct {
	Name      string `json:"name"`
	Secret    string `json:"secret"`
	Action    string `json:"action"`     // create, update, delete, adopt, unchanged, retain, forget, conflict, invalid or over_limit
	TakesOver bool   `json:"takes_over"` // an update of what others have written
	Hint      string `json:"hint"`
}

// SyncPlan tells what the next run would do, without values.
func (c *Client) SyncPlan(ctx context.Context, at SyncPlace) (*SyncPlan, error) {
	var plan SyncPlan
	if err := c.get(ctx, at.path("plan"), nil, &plan); err != nil {
		return nil, err
	}
	return &plan, nil
}

// PlanSync tells what a run would do if the sync were written with the fields given, whether it exists or not. It is refused as the write
// would be, and changes nothing.
func (c *Client) PlanSync(ctx context.Context, at SyncPlace, given Settings) (*SyncPlan, error) {
	var plan SyncPlan
	if err := c.put(ctx, at.path("plan"), given, &plan); err != nil {
		return nil, err
	}
	return &plan, nil
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
