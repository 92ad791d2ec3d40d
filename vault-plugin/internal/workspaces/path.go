package workspaces

// Path names a workspace, a project or an environment. The names below what it is about are empty.
type Path struct{ Workspace, Project, Environment string }

// Parent returns the path of what holds the last of the names.
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

// String returns the names joined by slashes, as the paths of the API have them.
func (p Path) String() string {
	joined := p.Workspace
	for _, name := range []string{p.Project, p.Environment} {
		if name != "" {
			joined += "/" + name
		}
	}
	return joined
}
