package workspaces

// Path names a workspace, a project or an environment. The names below the named object are empty.
type Path struct{ Workspace, Project, Environment string }

// Parent returns the path without its last name.
func (p Path) Parent() Path {
	switch {
	case p.Environment != "":
		p.Environment = ""
	case p.Project != "":
		p.Project = ""
	default:
		p.Workspace = ""
	}
	return p
}

// String returns the names joined by slashes, as in the paths of the API.
func (p Path) String() string {
	joined := p.Workspace
	for _, name := range []string{p.Project, p.Environment} {
		if name != "" {
			joined += "/" + name
		}
	}
	return joined
}
