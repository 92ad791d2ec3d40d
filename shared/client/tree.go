package client

import (
	"context"
	"net/url"
)

// Workspace is a tenant with keys of its own. The zero value of a limit means the limit in the
// engine's configuration.
type Workspace struct {
	Name            string            `json:"name,omitempty"`
	ID              string            `json:"id,omitempty"` // of this incarnation; only in responses
	Description     string            `json:"description"`
	Metadata        map[string]string `json:"metadata"`
	DeletionAllowed bool              `json:"deletion_allowed"`

	MaxVersions         int64 `json:"max_versions"`
	CASRequired         bool  `json:"cas_required"`
	DeleteVersionAfter  int64 `json:"delete_version_after"` // seconds
	MaxValueBytes       int64 `json:"max_value_bytes"`
	MaxSecrets          int64 `json:"max_secrets"`
	MaxEnvironmentBytes int64 `json:"max_environment_bytes"`

	CreatedTime string `json:"created_time,omitempty"` // RFC 3339, UTC

	Projects int64 `json:"projects,omitempty"` // number of projects; only in responses
}

// Workspace returns a workspace.
func (c *Client) Workspace(ctx context.Context, name string) (*Workspace, error) {
	var result Workspace
	if err := c.get(ctx, below("workspaces", name), nil, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// PutWorkspace creates a workspace or replaces all settings of an existing one, and returns it.
func (c *Client) PutWorkspace(ctx context.Context, w Workspace) (*Workspace, error) {
	body := fields{
		"description": w.Description, "deletion_allowed": w.DeletionAllowed, "metadata": orEmpty(w.Metadata),
		"max_versions": w.MaxVersions, "cas_required": w.CASRequired, "delete_version_after": w.DeleteVersionAfter,
		"max_value_bytes": w.MaxValueBytes, "max_secrets": w.MaxSecrets, "max_environment_bytes": w.MaxEnvironmentBytes,
	}
	var result Workspace
	if err := c.put(ctx, below("workspaces", w.Name), body, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// DeleteWorkspace destroys the keys of a workspace, and with them everything in it. It sends the
// confirmation that the engine asks for.
func (c *Client) DeleteWorkspace(ctx context.Context, name string) error {
	return c.remove(ctx, below("workspaces", name), confirm(name))
}

// Project belongs to a workspace and holds environments.
type Project struct {
	Workspace   string `json:"-"`
	Name        string `json:"name"`
	Description string `json:"description"`
	CreatedTime string `json:"created_time"`

	Environments int64 `json:"environments"` // number of environments; only in responses
}

// Project returns a project.
func (c *Client) Project(ctx context.Context, workspace, name string) (*Project, error) {
	result := Project{Workspace: workspace}
	if err := c.get(ctx, below("projects", workspace, name), nil, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// PutProject creates a project or replaces all settings of an existing one, and returns it.
func (c *Client) PutProject(ctx context.Context, p Project) (*Project, error) {
	result := Project{Workspace: p.Workspace}
	if err := c.put(ctx, below("projects", p.Workspace, p.Name), fields{"description": p.Description}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// DeleteProject deletes a project. Unless confirmed is true, it fails with Conflict when the
// project holds an environment.
func (c *Client) DeleteProject(ctx context.Context, workspace, name string, confirmed bool) error {
	var query url.Values
	if confirmed {
		query = confirm(name)
	}
	return c.remove(ctx, below("projects", workspace, name), query)
}

// Environment holds the secrets that are delivered together.
type Environment struct {
	Workspace       string `json:"-"`
	Project         string `json:"-"`
	Name            string `json:"name"`
	Description     string `json:"description"`
	Production      bool   `json:"production"`
	Locked          bool   `json:"locked"`
	DeletionAllowed bool   `json:"deletion_allowed"`
	Base            string `json:"base"`
	// SharedWith holds patterns project/environment. If it is empty, the environment is shared with
	// no other.
	SharedWith  []string `json:"shared_with"`
	CreatedTime string   `json:"created_time"`

	Secrets int64 `json:"secrets"` // number of secrets, including deleted ones; only in responses
}

// Environment returns an environment.
func (c *Client) Environment(ctx context.Context, workspace, project, name string) (*Environment, error) {
	result := Environment{Workspace: workspace, Project: project}
	if err := c.get(ctx, below("environments", workspace, project, name), nil, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// PutEnvironment creates an environment or replaces all settings of an existing one, and returns
// it.
func (c *Client) PutEnvironment(ctx context.Context, e Environment) (*Environment, error) {
	body := fields{
		"description": e.Description, "production": e.Production, "locked": e.Locked,
		"deletion_allowed": e.DeletionAllowed, "base": e.Base, "shared_with": append([]string{}, e.SharedWith...),
	}
	result := Environment{Workspace: e.Workspace, Project: e.Project}
	if err := c.put(ctx, below("environments", e.Workspace, e.Project, e.Name), body, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// DeleteEnvironment deletes an environment. Unless confirmed is true, it fails with Conflict when
// the environment holds a secret.
func (c *Client) DeleteEnvironment(ctx context.Context, workspace, project, name string, confirmed bool) error {
	var query url.Values
	if confirmed {
		query = confirm(name)
	}
	return c.remove(ctx, below("environments", workspace, project, name), query)
}

func confirm(name string) url.Values { return url.Values{"confirm": {name}} }

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
