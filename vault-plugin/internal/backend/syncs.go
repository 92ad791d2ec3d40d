package backend

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncs"
)

func (c *call) syncPath(d provider.Destination) syncs.Path {
	return syncs.Path{Path: c.path, Destination: d.Name, Name: c.name}
}

// syncItems lists the syncs of an environment by destination/name, or the syncs of a workspace by
// project/environment/destination/name.
func syncItems(_ context.Context, c *call) ([]item, error) {
	all, err := c.Syncs.List(c.request(), c.path)
	if err != nil {
		return nil, err
	}
	items := make([]item, len(all))
	for i, d := range all {
		key := d.Destination + "/" + d.Name
		if c.path.Project == "" {
			key = d.Project + "/" + d.Environment + "/" + key
		}
		items[i] = item{key, map[string]any{
			fieldState: string(d.State), fieldErrorClass: string(d.Class), fieldHint: d.Hint, fieldUpdated: stamp(d.Record.Stamp.Updated),
			fieldLastSynced: moment(d.Synced), fieldOwned: d.Owned, fieldTroubled: d.Troubled,
		}}
	}
	slices.SortFunc(items, func(a, b item) int { return strings.Compare(a.key, b.key) })
	return items, nil
}

func readSync(dest provider.Destination) handler {
	return func(_ context.Context, c *call) (*logical.Response, error) {
		d, err := c.Syncs.Read(c.request(), c.syncPath(dest))
		if err != nil {
			return nil, err
		}
		return respond(describeSync(d))
	}
}

func putSync(dest provider.Destination) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		d, err := c.Syncs.Put(ctx, c.request(), c.syncPath(dest), c.req.Operation == logical.PatchOperation, changeOf(c, dest))
		if err != nil {
			return nil, err
		}
		return respond(describeSync(d))
	}
}

// changeOf returns the changes to a sync's definition that the request carries.
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
		gone, err := c.Syncs.Delete(ctx, c.request(), c.syncPath(dest), given[bool](c, fieldPurge))
		if err != nil {
			return nil, err
		}
		return respond(map[string]any{fieldName: gone.Name, fieldOwned: gone.Owned, fieldPurging: gone.Purging})
	}
}

func describeSync(d syncs.Described) map[string]any {
	all := describeState(d)
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

// describeState returns the fields that both a read and the status of a sync return.
func describeState(d syncs.Described) map[string]any {
	return map[string]any{
		fieldState: string(d.State), fieldErrorClass: string(d.Class), fieldHint: d.Hint, fieldAttempts: d.Attempts,
		fieldNextAttempt: moment(d.Next), fieldLastRun: moment(d.Ran), fieldLastSynced: moment(d.Synced),
		fieldOwned: d.Owned, fieldTroubled: d.Troubled, fieldNextActions: append([]string{}, d.Actions...),
	}
}

// checkDestination rejects a path with an unknown destination and lists the known destinations.
func (b *Backend) checkDestination(path string) error {
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
	return fault.New(fault.NotFound, "destination %q does not exist; the destinations are: %s", segments[4], strings.Join(names, ", "))
}
