package client

import (
	"context"
	"net/url"
)

// Config reads the configuration of the mount: its fields by their names, numbers as json.Number. They are a map rather than a
// struct because a newer engine has more of them.
func (c *Client) Config(ctx context.Context) (map[string]any, error) {
	answer := fields{}
	if err := c.get(ctx, "config", nil, &answer); err != nil {
		return nil, err
	}
	return answer, nil
}

// PatchConfig changes the fields given; nil resets one to its default. It answers the configuration in force.
func (c *Client) PatchConfig(ctx context.Context, changes map[string]any) (map[string]any, error) {
	answer := fields{}
	if err := c.patch(ctx, "config", changes, &answer); err != nil {
		return nil, err
	}
	return answer, nil
}

// Policy is a ready Vault policy for a role.
type Policy struct {
	Role        string `json:"role"`
	Description string `json:"description"`
	Policy      string `json:"policy"` // HCL
}

// Policy reads the policy of a role for the names given: workspace, project, environment, context. Empty ones are left out.
func (c *Client) Policy(ctx context.Context, role string, names map[string]string) (*Policy, error) {
	query := url.Values{}
	for parameter, name := range names {
		if name != "" {
			query.Set(parameter, name)
		}
	}
	var answer Policy
	if err := c.get(ctx, below("policies", role), query, &answer); err != nil {
		return nil, err
	}
	return &answer, nil
}
