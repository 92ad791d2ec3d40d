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

// maxWait bounds how long a run is waited for: a request holds Vault's state lock, and where the destination is the same Vault, sealing it
// waits as long. The last of it is left for what comes before and after the wait.
const (
	maxWait     = 10 * time.Second
	longestWait = maxWait - time.Second
)

func (b *Backend) syncActionPaths(d provider.Destination, p provider.Declaration) []*framework.Path {
	pattern, segments := syncAt(d, p)
	own := provider.SyncFields(p, d)
	suffix := d.Name + "-sync"
	answers := response("The sync.", syncAnswers(d, p))
	path := func(action, synopsis, help string, more fields, ops operations) *framework.Path {
		all := maps.Clone(segments)
		maps.Copy(all, more)
		return &framework.Path{Pattern: pattern + "/" + action, DisplayAttrs: display(), Fields: all, HelpSynopsis: synopsis, HelpDescription: help, Operations: ops}
	}
	return []*framework.Path{
		path("plan", "What a run of a sync would do, entry by entry and without values.", planHelp, definitionFields(d, p), operations{
			logical.ReadOperation: operation(b.handleNamed(planSync(d)), "Tell what a run would do; within 10 seconds.", "plan", suffix, response("The plan.", planAnswers())),
			logical.UpdateOperation: changing(operation(b.handleNamed(planSync(d)), "Tell what a run would do if the sync were written with the fields given; within 10 seconds.", "plan-change-of", suffix,
				response("The plan.", planAnswers()))),
		}),
		path("run", "Have a sync run now.", runHelp, fields{fieldWait: engineField(own, provider.InAction, fieldWait)}, operations{
			logical.UpdateOperation: changing(operation(b.handleNamed(runSync(d)), "Have it run now, whatever there seems to be to do.", "run", suffix,
				response("The sync, and what to ask how the run goes.", fieldsOf(syncAnswers(d, p), fields{"poll": stringField("Command that tells how the run goes.")})))),
		}),
		path("status", "How a sync stands, entry by entry and without values.", statusHelp, nil, operations{
			logical.ReadOperation: operation(b.handleNamed(statusOfSync(d)), "Read how a sync stands.", "status", suffix, response("How it stands.", engineFields(own, provider.InStatus))),
		}),
		path("adopt", "Have a sync take over entries that it has not written.", adoptHelp, fields{fieldKeys: engineField(own, provider.InAction, fieldKeys)}, operations{
			logical.UpdateOperation: changing(operation(b.handleNamed(adoptKeys(d)), "Have the next run take over the entries named.", "adopt", suffix, answers)),
		}),
		path("pause", "Pause a sync.", pauseHelp, nil, operations{
			logical.UpdateOperation: changing(operation(b.handleNamed(pauseSync(d, true)), "Have it change nothing until it is resumed.", "pause", suffix, answers)),
		}),
		path("resume", "Have a paused sync go on.", pauseHelp, nil, operations{
			logical.UpdateOperation: changing(operation(b.handleNamed(pauseSync(d, false)), "Have it go on, and look at once what there is to do.", "resume", suffix, answers)),
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
		d, err := c.Syncs.Run(ctx, c.request(), c.syncPath(dest), min(wait, longestWait))
		if err != nil {
			return nil, err
		}
		all := describeSync(d)
		all["poll"] = "vault read " + c.req.MountPoint + syncFamily + "/" + c.path.String() + "/" + dest.Name + "/" + c.name + "/status"
		return answer(all)
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
		d, err := c.Syncs.Adopt(ctx, c.request(), c.syncPath(dest), names)
		if err != nil {
			return nil, err
		}
		return answer(describeSync(d))
	}
}

func pauseSync(dest provider.Destination, paused bool) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		d, err := c.Syncs.SetPaused(ctx, c.request(), c.syncPath(dest), paused)
		if err != nil {
			return nil, err
		}
		return answer(describeSync(d))
	}
}
