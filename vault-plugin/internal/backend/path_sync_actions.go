package backend

import (
	"context"
	"maps"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncs"
)

// maxWait limits how long a request waits for a run. A request holds Vault's state lock. If the
// destination is the same Vault, a seal waits for the request. longestWait leaves a second for the
// work before and after the wait.
const (
	maxWait     = 10 * time.Second
	longestWait = maxWait - time.Second
)

func (b *Backend) syncActionPaths(d provider.Destination, p provider.Declaration) []*framework.Path {
	pattern, segments := syncAt(d, p)
	own := provider.SyncFields(p, d)
	suffix := d.Name + "-sync"
	responses := response("The sync.", syncResults(d, p))
	path := func(action, synopsis, help string, more fields, ops operations) *framework.Path {
		all := maps.Clone(segments)
		maps.Copy(all, more)
		return &framework.Path{Pattern: pattern + "/" + action, DisplayAttrs: display(), Fields: all, HelpSynopsis: synopsis, HelpDescription: help, Operations: ops}
	}
	return []*framework.Path{
		path("plan", "Read what a run of a sync would do with each entry, without values.", planHelp, definitionFields(d, p), operations{
			logical.ReadOperation: operation(b.handle(planSync(d)), "Read what a run would do. Returns within 10 seconds.", "plan", suffix, response("The plan.", planResults())),
			logical.UpdateOperation: changing(operation(b.handle(planSync(d)), "Read what a run would do if the sync were written with the given fields. Returns within 10 seconds.", "plan-change-of", suffix,
				response("The plan.", planResults()))),
		}),
		path("plan/", "List what a run of a sync would do, one item per entry.", planHelp, listFields(), operations{
			logical.ListOperation: operation(b.handle(listPlan(d)), "List what a run would do, by entry. Returns within 10 seconds.", "list", suffix+"-plan", listResponse("The entries.", planInfo)),
		}),
		path("run", "Start a run of a sync.", runHelp, fields{fieldWait: engineField(own, provider.InAction, fieldWait)}, operations{
			logical.UpdateOperation: changing(operation(b.handle(runSync(d)), "Start a run immediately, even if nothing has changed.", "run", suffix,
				response("The sync, and a command that reads the progress of the run.", fieldsOf(syncResults(d, p), fields{"poll": stringField("Command that reads the progress of the run.")})))),
		}),
		path("status", "Read the state of a sync and of each entry, without values.", statusHelp, nil, operations{
			logical.ReadOperation: operation(b.handle(statusOfSync(d)), "Read the state of a sync.", "status", suffix, response("The state of the sync.", engineFields(own, provider.InStatus))),
		}),
		path("status/", "List the entries of a sync and their states, without values.", statusHelp, listFields(), operations{
			logical.ListOperation: operation(b.handle(listStatus(d)), "List the entries of a sync and their states.", "list", suffix+"-status", listResponse("The entries.", entryInfo)),
		}),
		path("adopt", "Let a sync adopt entries that it did not write.", adoptHelp, fields{fieldKeys: engineField(own, provider.InAction, fieldKeys)}, operations{
			logical.UpdateOperation: changing(operation(b.handle(adoptKeys(d)), "Let the next run adopt the named entries.", "adopt", suffix, responses)),
		}),
		path("pause", "Pause a sync.", pauseHelp, nil, operations{
			logical.UpdateOperation: changing(operation(b.handle(pauseSync(d, true)), "Pause a sync until it is resumed.", "pause", suffix, responses)),
		}),
		path("resume", "Resume a paused sync.", pauseHelp, nil, operations{
			logical.UpdateOperation: changing(operation(b.handle(pauseSync(d, false)), "Resume a paused sync and start a run immediately.", "resume", suffix, responses)),
		}),
	}
}

func planSync(dest provider.Destination) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		var change *syncs.Change
		if c.req.Operation == logical.UpdateOperation {
			given := changeOf(c, dest)
			change = &given
		}
		plan, err := c.Syncs.Plan(ctx, c.request(), c.syncPath(dest), change)
		if err != nil {
			return nil, err
		}
		actions, counts := make([]any, len(plan.Actions)), make(map[string]any)
		for i, a := range plan.Actions {
			one := describeAction(a)
			one[fieldName], actions[i] = a.Name, one
			counts[string(a.Kind)] = plan.Count(a.Kind)
		}
		return respond(map[string]any{"blocked": plan.Blocked, fieldPlannedAction: actions, "counts": counts})
	}
}

func runSync(dest provider.Destination) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		seconds, _ := c.data.Get(fieldWait).(int)
		wait := time.Duration(seconds) * time.Second
		if wait < 0 || wait > maxWait {
			return nil, fault.New(fault.Invalid, "%s: must be from 0 to 10s", fieldWait)
		}
		d, err := c.Syncs.Run(ctx, c.request(), c.syncPath(dest), min(wait, longestWait))
		if err != nil {
			return nil, err
		}
		all := describeSync(d)
		all["poll"] = "vault read " + c.req.MountPoint + syncFamily + "/" + c.path.String() + "/" + dest.Name + "/" + c.name + "/status"
		return respond(all)
	}
}

func statusOfSync(dest provider.Destination) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		d, keys, err := c.Syncs.Status(ctx, c.request(), c.syncPath(dest))
		if err != nil {
			return nil, err
		}
		shown := make([]any, len(keys))
		for i, k := range keys {
			one := describeKey(k)
			one[fieldName], shown[i] = k.Name, one
		}
		all := describeState(d)
		all[fieldTarget], all[fieldPurging], all[fieldKeys] = d.Record.Target.Path, d.Record.Purging, shown
		return respond(all)
	}
}

func adoptKeys(dest provider.Destination) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		names, _ := c.data.Get(fieldKeys).([]string)
		d, err := c.Syncs.Adopt(ctx, c.request(), c.syncPath(dest), names)
		if err != nil {
			return nil, err
		}
		return respond(describeSync(d))
	}
}

func pauseSync(dest provider.Destination, paused bool) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		d, err := c.Syncs.SetPaused(ctx, c.request(), c.syncPath(dest), paused)
		if err != nil {
			return nil, err
		}
		return respond(describeSync(d))
	}
}
