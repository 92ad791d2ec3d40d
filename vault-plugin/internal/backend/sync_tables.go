package backend

import (
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncplan"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncs"
)

// The lists of this file are read with `vault list -detailed`, which prints key_info as a table
// with one line per item. Their details are therefore scalars. A read of the same path returns
// JSON.

const (
	planInfo   = "By name of the entry: secret, version, action, hint, takes_over."
	entryInfo  = "By name of the entry: secret, version, state, error_class, hint."
	statusInfo = "By name, with the kind sync or integration: state, error_class, hint, next_attempt_at, needs_person."
)

// entryKeys makes unique keys of the names of entries.
type entryKeys map[string]bool

// key returns the name of an entry. If name_template produced no name, or the same name for several
// secrets, it returns a key with the name of the secret.
func (k entryKeys) key(name, secret string) string {
	key := name
	if name == "" || k[key] {
		key = strings.TrimSpace(name + " (secret " + secret + ")")
	}
	k[key] = true
	return key
}

// respondTable returns a list of items in the order of their keys.
func respondTable(c *call, items []item) (*logical.Response, error) {
	slices.SortFunc(items, func(a, b item) int { return strings.Compare(a.key, b.key) })
	return respondList(c, items)
}

func listPlan(dest provider.Destination) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		plan, err := c.Syncs.Plan(ctx, c.request(), c.syncPath(dest), nil)
		if err != nil {
			return nil, err
		}
		items, keys := make([]item, len(plan.Actions)), make(entryKeys)
		for i, a := range plan.Actions {
			items[i] = item{keys.key(a.Name, a.Source), describeAction(a)}
		}
		resp, err := respondTable(c, items)
		if err == nil && plan.Blocked != "" {
			resp.AddWarning("a run would change nothing: " + plan.Blocked)
		}
		return resp, err
	}
}

// describeAction returns what a plan shows of an action, except for the name of the entry.
func describeAction(a syncplan.Action) map[string]any {
	return map[string]any{"secret": a.Source, "version": a.Version, "action": string(a.Kind), fieldHint: a.Why, "takes_over": a.Takes}
}

func listStatus(dest provider.Destination) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		_, all, err := c.Syncs.Status(ctx, c.request(), c.syncPath(dest))
		if err != nil {
			return nil, err
		}
		items, keys := make([]item, len(all)), make(entryKeys)
		for i, k := range all {
			items[i] = item{keys.key(k.Name, k.Source), describeKey(k)}
		}
		return respondTable(c, items)
	}
}

// describeKey returns what a status shows of an entry, except for its name.
func describeKey(k syncs.KeyStatus) map[string]any {
	return map[string]any{"secret": k.Source, fieldState: k.State, "version": k.Version, fieldErrorClass: k.Class, fieldHint: k.Hint}
}

func listWorkspaceStatus(_ context.Context, c *call) (*logical.Response, error) {
	all, err := c.Syncs.List(c.request(), c.path)
	if err != nil {
		return nil, err
	}
	used, err := c.Integrations.List(c.request(), c.path.Workspace, "")
	if err != nil {
		return nil, err
	}
	var items []item
	for _, d := range all {
		items = append(items, item{syncName(d), map[string]any{
			"kind": "sync", fieldState: string(d.State), fieldErrorClass: string(d.Class), fieldHint: d.Hint, fieldNextAttempt: moment(d.Next),
			"needs_person": syncs.NeedsPerson(d.State),
		}})
	}
	for _, d := range used {
		class, hint := "", d.Why
		if e := d.Used.Error; e != nil {
			class, hint = e.Class, e.Text
		}
		items = append(items, item{d.InWorkspace(), map[string]any{
			"kind": "integration", fieldState: string(d.State), fieldErrorClass: class, fieldHint: hint, fieldNextAttempt: "", "needs_person": d.NeedsPerson(),
		}})
	}
	return respondTable(c, items)
}

// syncName returns project/environment/destination/name, which identifies a sync in its workspace.
func syncName(d syncs.Described) string {
	return d.Project + "/" + d.Environment + "/" + d.Destination + "/" + d.Name
}
