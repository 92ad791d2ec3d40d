package main

import (
	"path"
	"slices"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/policies"
)

// policyFiles renders the policy of each role for the names that all examples share.
func policyFiles() (map[string]string, error) {
	files := make(map[string]string)
	for _, name := range policies.Roles() {
		role, err := policies.Lookup(name)
		if err != nil {
			return nil, err
		}
		takes := func(param, value string) string {
			if slices.Contains(role.Required, param) || slices.Contains(role.Optional, param) {
				return value
			}
			return ""
		}
		text, err := policies.Render(name, policies.Params{
			Mount: "stashbase/", Workspace: takes("workspace", "acme"),
			Project: takes("project", "api"), Environment: takes("environment", "development"), Context: takes("context", "billing"),
		})
		if err != nil {
			return nil, err
		}
		files[path.Join("examples/policies", name+".hcl")] = text
	}
	return files, nil
}
