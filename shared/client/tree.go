package client

import (
	"context"
	"net/url"
)

// Workspace is a tenant with keys of its own. In a request, the zero value of a setting stands for "as the engine's config says".
type Workspace struct {
	Name            string            `json:"name,omitempty"`
	ID              string            `json:"id,omitempty"` // of this incarnation
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

	Projects int64 `json:"projects,omitempty"` // how many it holds; only in responses
}

// Workspace reads a workspace.
func (c *Client) Workspace(ctx context.Context, name string) (*Workspace, error) {
	var answer Workspace
	if err := c.get(ctx, below("workspaces", name), nil, &answer); err != nil {
		return nil, err
	}
	return &answer, nil
}

// PutWorkspace creates a workspace, or sets all its settings to those given.
func (c *Client) PutWorkspace(ctx context.Context, w Workspace) (*Workspace, error) {
	body := fields{
		"description": w.Description, "deletion_allowed": w.DeletionAllowed, "metadata": orEmpty(w.Metadata),
		"max_versions": w.MaxVersions, "cas_required": w.CASRequired, "delete_version_after": w.DeleteVersionAfter,
		"max_value_bytes": w.MaxValueBytes, "max_secrets": w.MaxSecrets, "max_environment_bytes": w.MaxEnvironmentBytes,
	}
	var answer Workspace
	if err := c.put(ctx, below("workspaces", w.Name), body, &answer); err != nil {
		return nil, err
	}
	return &answer, nil
}

// DeleteWorkspace shreds a workspace. The name is the confirmation that the engine asks for.
func (c *Client) DeleteWorkspace(ctx context.Context, name string) error {
	return c.remove(ctx, below("workspaces", name), confirm(name))
}

// Project belongs to a workspace and holds environments.
type Project struct {
	Workspace   string `json:"-"`
	Name        string `json:"name"`
	Description string `json:"description"`
	CreatedTime string `json:"created_time"`

	Environments int64 `json:"environments"` // how many it holds; only in responses
}

// Project reads a project.
func (c *Client) Project(ctx context.Context, workspace, name string) (*Project, error) {
	answer := Project{Workspace: workspace}
	if err := c.get(ctx, below("projects", workspace, name), nil, &answer); err != nil {
		return nil, err
	}
	return &answer, nil
}

// PutProject creates a project, or sets all its settings to those given.
func (c *Client) PutProject(ctx context.Context, p Project) (*Project, error) {
	answer := Project{Workspace: p.Workspace}
	if err := c.put(ctx, below("projects", p.Workspace, p.Name), fields{"description": p.Description}, &answer); err != nil {
		return nil, err
	}
	return &answer, nil
}

// DeleteProject deletes a project. Without a confirmation the engine refuses one that holds anything.
func (c *Client) DeleteProject(ctx context.Context, workspace, name string, confirmed bool) error {
	var query url.Values
	if confirmed {
		query = confirm(name)
	}
	return c.remove(ctx, below("projects", workspace, name), query)
}

// Environment holds the secrets that are delivered as one.
type Environment struct {
	Workspace       string `json:"-"`
	Project         string `json:"-"`
	Name            string `json:"name"`
	Description     string `json:"description"`
	Production      bool   `json:"production"`
	Locked          bool   `json:"locked"`
	DeletionAllowed bool   `json:"deletion_allowed"`
	Base            string `json:"base"`
	// SharedWith is nil when it was never set: then the engine's default holds, which follows Production. An empty list shares
	// with nobody.
	SharedWith  []string `json:"shared_with"`
	CreatedTime string   `json:"created_time"`

	Secrets int64 `json:"secrets"` // how many it holds, deleted ones included; only in responses
}

// Environment reads an environment.
func (c *Client) Environment(ctx context.Context, workspace, project, name string) (*Environment, error) {
	answer := Environment{Workspace: workspace, Project: project}
	if err := c.get(ctx, below("environments", workspace, project, name), nil, &answer); err != nil {
		return nil, err
	}
	return &answer, nil
}

// PutEnvironment creates an environment, or sets all its settings to those given.
func (c *Client) PutEnvironment(ctx context.Context, e Environment) (*Environment, error) {
	body := fields{
		"description": e.Description, "production": e.Production, "locked": e.Locked,
		"deletion_allowed": e.DeletionAllowed, "base": e.Base,
	}
	if e.SharedWith != nil {
		body["shared_with"] = e.SharedWith
	}
	answer := Environment{Workspace: e.Workspace, Project: e.Project}
	path := below("environments", e.Workspace, e.Project, e.Name)
	if err := c.put(ctx, path, body, &answer); err != nil {
		return nil, err
	}
	if e.SharedWith != nil || answer.SharedWith == nil {
		return &answer, nil
	}
	// Only a patch can bring a field back to its default.
	answer.SharedWith = nil
	if err := c.patch(ctx, path, fields{"shared_with": nil}, &answer); err != nil {
		return nil, err
	}
	return &answer, nil
}

// DeleteEnvironment deletes an environment. Without a confirmation the engine refuses one that holds secrets.
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
