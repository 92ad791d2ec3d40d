package backend

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/integrations"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncs"
)

// maxWait bounds how long a run is waited for: a request holds Vault's state lock, and where the destination is the same Vault, sealing it
// waits as long. The last of it is left for what comes before and after the wait.
const (
	maxWait     = 10 * time.Second
	longestWait = maxWait - time.Second
)

func (c *call) syncPath(d provider.Destination) syncs.Path {
	return syncs.Path{Workspace: c.workspace, Project: c.project, Environment: c.environment, Destination: d.Name, Name: c.name}
}

// listSyncs lists those of an environment by destination/name, or of a workspace by their whole paths.
func listSyncs(_ context.Context, c *call) (*logical.Response, error) {
	all, err := c.syncs.List(c.scope(), c.workspace, c.project, c.environment)
	if err != nil {
		return nil, err
	}
	items := make([]item, len(all))
	for i, d := range all {
		key := d.Destination + "/" + d.Name
		if c.project == "" {
			key = d.Project + "/" + d.Environment + "/" + key
		}
		items[i] = item{key, map[string]any{
			fieldState: string(d.State), fieldErrorClass: string(d.Class), fieldHint: d.Hint, fieldUpdated: stamp(d.Record.Stamp.Updated),
			fieldLastSynced: moment(d.Synced), fieldOwned: d.Owned, fieldTroubled: d.Troubled,
		}}
	}
	slices.SortFunc(items, func(a, b item) int { return strings.Compare(a.key, b.key) })
	return answerList(c, items)
}

func readSync(dest provider.Destination) handler {
	return func(_ context.Context, c *call) (*logical.Response, error) {
		d, err := c.syncs.Read(c.scope(), c.syncPath(dest))
		if err != nil {
			return nil, err
		}
		return answer(describeSync(d))
	}
}

func putSync(dest provider.Destination) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		d, err := c.syncs.Put(ctx, c.scope(), c.syncPath(dest), c.req.Operation == logical.PatchOperation, changeOf(c, dest))
		if err != nil {
			return nil, err
		}
		return answer(describeSync(d))
	}
}

func changeOf(c *call, dest provider.Destination) syncs.Change {
	change := syncs.Change{
		Description: given[string](c, fieldDescription), Integration: given[string](c, fieldIntegration),
		Include: given[[]string](c, fieldInclude), Exclude: given[[]string](c, fieldExclude), Tags: given[[]string](c, fieldTags),
		Template: given[string](c, fieldNameTemplate), Granularity: given[string](c, fieldGranularity),
		OnConflict: given[string](c, fieldOnConflict), Deletion: given[string](c, fieldDeletion), Trigger: given[string](c, fieldTrigger),
		Settings: make(map[string]any),
	}
	for _, f := range dest.Fields {
		switch present, null := c.given(f.Name); {
		case null:
			change.Settings[f.Name] = nil
		case present:
			change.Settings[f.Name] = c.data.Get(f.Name)
		}
	}
	return change
}

func deleteSync(dest provider.Destination) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		gone, err := c.syncs.Delete(ctx, c.scope(), c.syncPath(dest), given[bool](c, fieldPurge))
		if err != nil {
			return nil, err
		}
		return answer(map[string]any{fieldName: gone.Name, fieldOwned: gone.Owned, fieldPurging: gone.Purging})
	}
}

func planSync(dest provider.Destination) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		var change *syncs.Change
		if c.req.Operation == logical.UpdateOperation {
			given := changeOf(c, dest)
			change = &given
		}
		plan, err := c.syncs.Plan(ctx, c.scope(), c.syncPath(dest), change)
		if err != nil {
			return nil, err
		}
		actions, counts := make([]any, len(plan.Actions)), make(map[string]any)
		for i, a := range plan.Actions {
			actions[i] = map[string]any{
				fieldName: a.Name, "secret": a.Source, "version": a.Version, "action": string(a.Kind), fieldHint: a.Why, "takes_over": a.Takes,
			}
			counts[string(a.Kind)] = plan.Count(a.Kind)
		}
		return answer(map[string]any{"blocked": plan.Blocked, fieldPlannedAction: actions, "counts": counts})
	}
}

func runSync(dest provider.Destination) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		seconds, _ := c.data.Get(fieldWait).(int)
		wait := time.Duration(seconds) * time.Second
		if wait < 0 || wait > maxWait {
			return nil, fault.New(fault.Invalid, "%s: must be at most 10s", fieldWait)
		}
		d, err := c.syncs.Run(ctx, c.scope(), c.syncPath(dest), min(wait, longestWait))
		if err != nil {
			return nil, err
		}
		all := describeSync(d)
		all["poll"] = "vault read " + c.req.MountPoint + syncFamily + "/" + c.workspace + "/" + c.project + "/" + c.environment + "/" + dest.Name + "/" + c.name + "/status"
		return answer(all)
	}
}

func statusOfSync(dest provider.Destination) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		d, keys, err := c.syncs.Status(ctx, c.scope(), c.syncPath(dest))
		if err != nil {
			return nil, err
		}
		shown := make([]any, len(keys))
		for i, k := range keys {
			shown[i] = map[string]any{fieldName: k.Name, "secret": k.Source, fieldState: k.State, "version": k.Version, fieldErrorClass: k.Class, fieldHint: k.Hint}
		}
		all := describeStanding(d)
		all[fieldTarget], all[fieldPurging], all[fieldKeys] = d.Record.Target.Path, d.Record.Purging, shown
		return answer(all)
	}
}

func adoptKeys(dest provider.Destination) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		names, _ := c.data.Get(fieldKeys).([]string)
		d, err := c.syncs.Adopt(ctx, c.scope(), c.syncPath(dest), names)
		if err != nil {
			return nil, err
		}
		return answer(describeSync(d))
	}
}

func pauseSync(dest provider.Destination, paused bool) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		d, err := c.syncs.SetPaused(ctx, c.scope(), c.syncPath(dest), paused)
		if err != nil {
			return nil, err
		}
		return answer(describeSync(d))
	}
}

func describeSync(d syncs.Described) map[string]any {
	all := describeStanding(d)
	maps.Copy(all, map[string]any{
		fieldProject: d.Project, fieldEnvironment: d.Environment, fieldDestination: d.Destination, fieldName: d.Name,
		fieldDescription: d.Record.Description, fieldProvider: d.Provider, fieldIntegration: d.Integration, fieldTarget: d.Record.Target.Path,
		fieldInclude: append([]string{}, d.Record.Include...), fieldExclude: append([]string{}, d.Record.Exclude...), fieldTags: append([]string{}, d.Record.Tags...),
		fieldNameTemplate: d.Record.Template, fieldGranularity: d.Record.Granularity, fieldOnConflict: d.Record.OnConflict,
		fieldDeletion: d.Record.Deletion, fieldTrigger: d.Record.Trigger, fieldPaused: d.Record.Paused, fieldPurging: d.Record.Purging,
		fieldCreated: stamp(d.Record.Stamp.Created), fieldUpdated: stamp(d.Record.Stamp.Updated),
	})
	for name, value := range d.Settings {
		if words, isWords := value.([]string); isWords {
			value = append([]string{}, words...)
		}
		all[name] = value
	}
	return all
}

func describeStanding(d syncs.Described) map[string]any {
	return map[string]any{
		fieldState: string(d.State), fieldErrorClass: string(d.Class), fieldHint: d.Hint, fieldAttempts: d.Attempts,
		fieldNextAttempt: moment(d.Next), fieldLastRun: moment(d.Ran), fieldLastSynced: moment(d.Synced),
		fieldOwned: d.Owned, fieldTroubled: d.Troubled, fieldNextActions: append([]string{}, d.Actions...),
	}
}

// noDestination says of a path that is none, because it names a destination there is not, which destinations there are.
func (b *Backend) noDestination(path string) error {
	segments := strings.Split(path, "/")
	if len(segments) < 6 || segments[0] != syncFamily {
		return nil
	}
	names := b.options.Providers.Destinations()
	if slices.Contains(names, segments[4]) {
		return nil
	}
	if err := naming.Check(fieldDestination, segments[4]); err != nil {
		return err
	}
	return fault.New(fault.NotFound, "there is no destination %q; the destinations are: %s", segments[4], strings.Join(names, ", "))
}

// syncStatusPaths are what a person who looks after a workspace begins with.
func (b *Backend) syncStatusPaths() []*framework.Path {
	return []*framework.Path{{
		Pattern:         "status" + inWorkspace,
		DisplayAttrs:    display(),
		Fields:          pathFields(1),
		HelpSynopsis:    "The syncs and integrations of a workspace, those first that need a person.",
		HelpDescription: workspaceStatusHelp,
		Operations: operations{
			logical.ReadOperation: operation(b.handle(workspaceStatus), "Read what needs a person, first.", "read", "workspace-status",
				response("How everything that goes out stands.", fields{
					"needs_person": intField("How many syncs and integrations do not come right by themselves."),
					fieldSyncs:     {Type: framework.TypeSlice, Description: "Each with name (project/environment/destination/name), state, error_class, hint, next_attempt_at, next_actions."},
					"integrations": {Type: framework.TypeSlice, Description: "Each with name (provider/name), state, hint, last_error (class, text, time) where the last use has failed."},
				})),
		},
	}}
}

func workspaceStatus(_ context.Context, c *call) (*logical.Response, error) {
	all, err := c.syncs.Needs(c.scope(), c.workspace)
	if err != nil {
		return nil, err
	}
	used, err := c.integrations.List(c.scope(), c.workspace, "")
	if err != nil {
		return nil, err
	}
	urgent, shown := 0, make([]any, len(all))
	for i, d := range all {
		if syncs.NeedsPerson(d.State) {
			urgent++
		}
		shown[i] = map[string]any{
			fieldName:  d.Project + "/" + d.Environment + "/" + d.Destination + "/" + d.Name,
			fieldState: string(d.State), fieldErrorClass: string(d.Class), fieldHint: d.Hint, fieldNextAttempt: moment(d.Next), fieldNextActions: append([]string{}, d.Actions...),
		}
	}
	slices.SortStableFunc(used, func(a, b integrations.Described) int { return trouble(b) - trouble(a) })
	owners := make([]any, len(used))
	for i, d := range used {
		one := map[string]any{fieldName: d.Path(), fieldState: string(d.State), fieldHint: d.Why}
		if e := d.Used.Error; e != nil {
			one[fieldLastError] = map[string]any{"class": e.Class, "text": e.Text, "time": stamp(e.At)}
		}
		if d.State != integrations.Ready {
			urgent++
		}
		owners[i] = one
	}
	return answer(map[string]any{"needs_person": urgent, fieldSyncs: shown, "integrations": owners})
}

func trouble(d integrations.Described) int {
	switch {
	case d.State != integrations.Ready:
		return 2
	case d.Used.Error != nil:
		return 1
	}
	return 0
}
