package client

import (
	"context"
	"net/url"
)

// Config returns the configuration of the mount by field name, with numbers as json.Number. It is a
// map because a newer engine has more fields.
func (c *Client) Config(ctx context.Context) (map[string]any, error) {
	result := fields{}
	if err := c.get(ctx, "config", nil, &result); err != nil {
		return nil, err
	}
	return result, nil
}

// PatchConfig changes the given fields and returns the whole configuration. A nil field is reset to
// its default.
func (c *Client) PatchConfig(ctx context.Context, changes map[string]any) (map[string]any, error) {
	result := fields{}
	if err := c.patch(ctx, "config", changes, &result); err != nil {
		return nil, err
	}
	return result, nil
}

// Policy is a Vault policy for a role.
type Policy struct {
	Role        string `json:"role"`
	Description string `json:"description"`
	Policy      string `json:"policy"` // HCL
}

// Policy returns the policy of a role. The keys of names are workspace, project, environment and
// context; a role takes some of them. Empty names are left out.
func (c *Client) Policy(ctx context.Context, role string, names map[string]string) (*Policy, error) {
	query := url.Values{}
	for parameter, name := range names {
		if name != "" {
			query.Set(parameter, name)
		}
	}
	var result Policy
	if err := c.get(ctx, below("policies", role), query, &result); err != nil {
		return nil, err
	}
	return &result, nil
}
