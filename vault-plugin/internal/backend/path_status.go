package backend

import (
	"context"
	"slices"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/integrations"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncs"
)

// syncStatusPaths returns the path of a workspace's status, which shows an operator what needs
// attention.
func (b *Backend) syncStatusPaths() []*framework.Path {
	return []*framework.Path{syncStatusTable(b), {
		Pattern:         "status" + inWorkspace,
		DisplayAttrs:    display(),
		Fields:          pathFields(1),
		HelpSynopsis:    "Read the state of the syncs and integrations of a workspace. Those that need a person come first.",
		HelpDescription: workspaceStatusHelp,
		Operations: operations{
			logical.ReadOperation: operation(b.handle(workspaceStatus), "Read the state of the syncs and integrations of a workspace.", "read", "workspace-status",
				response("The state of the syncs and integrations.", fields{
					"needs_person": intField("Number of syncs and integrations that need a person."),
					fieldSyncs:     {Type: framework.TypeSlice, Description: "List of syncs: name (project/environment/destination/name), state, error_class, hint, next_attempt_at, next_actions."},
					"integrations": {Type: framework.TypeSlice, Description: "List of integrations: name (provider/name), state, hint, and last_error (class, text, time) if the last use failed."},
				})),
		},
	}}
}

// syncStatusTable returns the path of the same status as a list.
func syncStatusTable(b *Backend) *framework.Path {
	return &framework.Path{
		Pattern:         "status" + inWorkspace + "/",
		DisplayAttrs:    display(),
		Fields:          pathFields(1, listFields()),
		HelpSynopsis:    "List the syncs and integrations of a workspace and their states.",
		HelpDescription: workspaceStatusHelp,
		Operations: operations{
			logical.ListOperation: operation(b.handle(listWorkspaceStatus), "List the syncs and integrations of a workspace and their states.", "list", "workspace-status",
				listResponse("The syncs and integrations.", statusInfo)),
		},
	}
}

func workspaceStatus(_ context.Context, c *call) (*logical.Response, error) {
	all, err := c.Syncs.Needs(c.request(), c.path.Workspace)
	if err != nil {
		return nil, err
	}
	used, err := c.Integrations.List(c.request(), c.path.Workspace, "")
	if err != nil {
		return nil, err
	}
	urgent, shown := 0, make([]any, len(all))
	for i, d := range all {
		if syncs.NeedsPerson(d.State) {
			urgent++
		}
		shown[i] = map[string]any{
			fieldName:  syncName(d),
			fieldState: string(d.State), fieldErrorClass: string(d.Class), fieldHint: d.Hint, fieldNextAttempt: moment(d.Next), fieldNextActions: append([]string{}, d.Actions...),
		}
	}
	slices.SortStableFunc(used, func(a, b integrations.Described) int { return trouble(b) - trouble(a) })
	owners := make([]any, len(used))
	for i, d := range used {
		one := map[string]any{fieldName: d.InWorkspace(), fieldState: string(d.State), fieldHint: d.Why}
		if e := d.Used.Error; e != nil {
			one[fieldLastError] = map[string]any{"class": e.Class, "text": e.Text, "time": stamp(e.At)}
		}
		if d.NeedsPerson() {
			urgent++
		}
		owners[i] = one
	}
	return respond(map[string]any{"needs_person": urgent, fieldSyncs: shown, "integrations": owners})
}

// trouble returns the rank of an integration in the list: a higher rank comes first.
func trouble(d integrations.Described) int {
	switch {
	case d.NeedsPerson():
		return 2
	case d.Used.Error != nil:
		return 1
	}
	return 0
}
