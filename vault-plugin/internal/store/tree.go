package store

import "context"

// Workspace reads the record of a workspace.
func (s *Store) Workspace(ctx context.Context, name string) (*Workspace, error) {
	return get[Workspace](ctx, s, workspaceKey(name))
}

// PutWorkspace writes the record of a workspace.
func (s *Store) PutWorkspace(ctx context.Context, name string, r *Workspace) error {
	return put(ctx, s, workspaceKey(name), r)
}

// DeleteWorkspace removes the record of a workspace.
func (s *Store) DeleteWorkspace(ctx context.Context, name string) error {
	return s.storage.Delete(ctx, workspaceKey(name))
}

// Workspaces lists the names of all workspaces.
func (s *Store) Workspaces(ctx context.Context) ([]string, error) {
	return s.list(ctx, workspacePrefix)
}

// Project reads the record of a project.
func (s *Store) Project(ctx context.Context, ws ID, name string) (*Project, error) {
	return get[Project](ctx, s, projectKey(ws, name))
}

// PutProject writes the record of a project.
func (s *Store) PutProject(ctx context.Context, ws ID, name string, r *Project) error {
	return put(ctx, s, projectKey(ws, name), r)
}

// DeleteProject removes the record of a project.
func (s *Store) DeleteProject(ctx context.Context, ws ID, name string) error {
	return s.storage.Delete(ctx, projectKey(ws, name))
}

// Projects lists the names of a workspace's projects.
func (s *Store) Projects(ctx context.Context, ws ID) ([]string, error) {
	return s.list(ctx, projectPrefix+string(ws)+"/")
}

// Environment reads the record of an environment.
func (s *Store) Environment(ctx context.Context, project ID, name string) (*Environment, error) {
	return get[Environment](ctx, s, environmentKey(project, name))
}

// PutEnvironment writes the record of an environment.
func (s *Store) PutEnvironment(ctx context.Context, project ID, name string, r *Environment) error {
	return put(ctx, s, environmentKey(project, name), r)
}

// DeleteEnvironment removes the record of an environment.
func (s *Store) DeleteEnvironment(ctx context.Context, project ID, name string) error {
	return s.storage.Delete(ctx, environmentKey(project, name))
}

// Environments lists the names of a project's environments.
func (s *Store) Environments(ctx context.Context, project ID) ([]string, error) {
	return s.list(ctx, environmentPrefix+string(project)+"/")
}
