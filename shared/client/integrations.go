package client

import (
	"context"
	"net/url"
	"strconv"
)

// Settings are the fields of an integration or a sync by name, as encoding/json decodes them, with
// numbers as json.Number. They are a map because each provider declares its own fields.
type Settings = map[string]any

// IntegrationPlace is the path of an integration.
type IntegrationPlace struct{ Workspace, Provider, Name string }

func (p IntegrationPlace) path() string {
	return below("integrations", p.Workspace, p.Provider, p.Name)
}

// Integration returns an integration. It does not return the credential, only whether there is one
// and its generation.
func (c *Client) Integration(ctx context.Context, at IntegrationPlace) (Settings, error) {
	return c.read(ctx, at.path())
}

// WriteIntegration creates an integration or changes the given fields, and returns the result. A
// nil field is reset to its default.
func (c *Client) WriteIntegration(ctx context.Context, at IntegrationPlace, given Settings) (Settings, error) {
	return c.write(ctx, at.path(), given)
}

// Integrations lists the integrations of a workspace, as provider/name.
func (c *Client) Integrations(ctx context.Context, workspace string) ([]string, error) {
	return c.list(ctx, below("integrations", workspace))
}

// DeleteIntegration deletes an integration and its credential. It fails with Conflict while a sync
// uses the integration.
func (c *Client) DeleteIntegration(ctx context.Context, at IntegrationPlace) error {
	return c.remove(ctx, at.path(), nil)
}

// SyncPlace is the path of a sync.
type SyncPlace struct {
	Source            Place
	Destination, Name string
}

func (p SyncPlace) path(more ...string) string {
	return p.Source.below("syncs", append([]string{p.Destination, p.Name}, more...)...)
}

// Sync returns a sync.
func (c *Client) Sync(ctx context.Context, at SyncPlace) (Settings, error) {
	return c.read(ctx, at.path())
}

// WriteSync creates a sync or changes the given fields, and returns the result. A nil field is
// reset to its default.
func (c *Client) WriteSync(ctx context.Context, at SyncPlace, given Settings) (Settings, error) {
	return c.write(ctx, at.path(), given)
}

// Syncs lists the syncs of an environment, as destination/name.
func (c *Client) Syncs(ctx context.Context, source Place) ([]string, error) {
	return c.list(ctx, source.below("syncs"))
}

// DeleteSync deletes a sync. With purge, the engine first deletes the entries that the sync has
// written at the destination. That goes on after DeleteSync returns: until it has finished, Sync
// returns the sync with the field purging.
func (c *Client) DeleteSync(ctx context.Context, at SyncPlace, purge bool) error {
	return c.remove(ctx, at.path(), url.Values{"purge": {strconv.FormatBool(purge)}})
}

// SyncStatus returns the state of a sync and of each of its entries.
func (c *Client) SyncStatus(ctx context.Context, at SyncPlace) (Settings, error) {
	return c.read(ctx, at.path("status"))
}

// SyncPlan is what a run of a sync would do.
type SyncPlan struct {
	Blocked string         `json:"blocked"` // why the run would do nothing; empty when it would run
	Actions []SyncAction   `json:"actions"` // sorted by name
	Counts  map[string]int `json:"counts"`  // number of entries by action
}

// SyncAction is what a run would do with one entry at the destination.
type SyncAction struct {
	Name      string `json:"name"`
	Secret    string `json:"secret"`
	Action    string `json:"action"`     // create, update, delete, adopt, unchanged, retain, forget, conflict, invalid, over_limit
	TakesOver bool   `json:"takes_over"` // the update overwrites an entry that the sync does not own
	Hint      string `json:"hint"`
}

// SyncPlan returns what the next run of a sync would do. A plan holds no values.
func (c *Client) SyncPlan(ctx context.Context, at SyncPlace) (*SyncPlan, error) {
	var plan SyncPlan
	if err := c.get(ctx, at.path("plan"), nil, &plan); err != nil {
		return nil, err
	}
	return &plan, nil
}

// PlanSync returns what a run would do if the sync had been written with the given fields. The sync
// need not exist. PlanSync changes nothing, and fails wherever the write would fail.
func (c *Client) PlanSync(ctx context.Context, at SyncPlace, given Settings) (*SyncPlan, error) {
	var plan SyncPlan
	if err := c.put(ctx, at.path("plan"), given, &plan); err != nil {
		return nil, err
	}
	return &plan, nil
}

func (c *Client) read(ctx context.Context, path string) (Settings, error) {
	result := Settings{}
	if err := c.get(ctx, path, nil, &result); err != nil {
		return nil, err
	}
	return result, nil
}

func (c *Client) write(ctx context.Context, path string, given Settings) (Settings, error) {
	result := Settings{}
	for _, value := range given {
		if value == nil { // only a patch accepts nil
			if err := c.patch(ctx, path, given, &result); err != nil {
				return nil, err
			}
			return result, nil
		}
	}
	if err := c.put(ctx, path, given, &result); err != nil {
		return nil, err
	}
	return result, nil
}
