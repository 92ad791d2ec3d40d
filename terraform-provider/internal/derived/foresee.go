package derived

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/base"
)

// foresee asks the engine what the sync would do as it is planned, and warns of what the plan does not show. It answers false where nobody
// can tell: something is not known yet or made by the same apply, the destination does not answer, or the right to ask is missing.
func (r *sync) foresee(ctx context.Context, c *base.PlanCall[base.Object]) bool {
	if !r.changes(c) {
		return true
	}
	at, body, known := r.planned(c)
	if !known {
		return false
	}
	engine, err := c.Client(ctx)
	if err != nil {
		return false
	}
	plan, err := engine.PlanSync(ctx, at, body)
	var refused *client.Error
	switch {
	case client.Is(err, client.Conflict) && c.Creates && r.stands(ctx, engine, at):
		return false // it is one that the new one comes in the place of
	case errors.As(err, &refused) && client.Is(err, client.Conflict, client.Limit, client.Invalid, client.Denied):
		c.Warn("", "The engine would refuse the sync as things are now", refused.Text+".\n\n"+asThingsAre)
		return true
	case err != nil:
		return false
	}
	warn(c, plan)
	return true
}

// planned is the definition as it would be written; false where it is not all known, or another sync comes in the place of this one.
func (r *sync) planned(c *base.PlanCall[base.Object]) (at client.SyncPlace, body client.Settings, known bool) {
	for _, column := range r.columns {
		replaced := column.Fixed && !c.Creates && !c.Model[column.Name].Equal(c.Prior[column.Name])
		if replaced || !c.Model.Known(column.Name) {
			return at, nil, false
		}
	}
	body, err := sent(r.columns, &c.Model, &c.Prior)
	if err != nil || slices.Contains(c.Names, "") {
		return at, nil, false
	}
	source := client.Place{Workspace: c.Names[0], Project: c.Names[1], Environment: c.Names[2]}
	return client.SyncPlace{Source: source, Destination: r.Name, Name: c.Names[3]}, body, true
}

func (r *sync) stands(ctx context.Context, engine *client.Client, at client.SyncPlace) bool {
	_, err := engine.Sync(ctx, at)
	return err == nil
}

const asThingsAre = "What else the same apply changes is not considered."

// changes reports whether the plan has another definition than the state.
func (r *sync) changes(c *base.PlanCall[base.Object]) bool {
	if c.Creates {
		return true
	}
	for _, column := range r.columns {
		if !c.Model[column.Name].Equal(c.Prior[column.Name]) {
			return true
		}
	}
	return false
}

// warn tells of what a person may not have meant.
func warn(c *base.PlanCall[base.Object], plan *client.SyncPlan) {
	var lost, deleted, foreign, refused []string
	for _, a := range plan.Actions {
		switch {
		case a.TakesOver:
			lost = append(lost, a.Name)
		case a.Action == "delete":
			deleted = append(deleted, a.Name)
		case a.Action == "conflict":
			foreign = append(foreign, a.Name)
		case a.Action == "invalid" || a.Action == "over_limit":
			refused = append(refused, a.Name+": "+a.Hint)
		}
	}
	if plan.Blocked != "" {
		c.Warn("", "The sync would change nothing", plan.Blocked+". "+some("", refused)+"\n\n"+asThingsAre)
		return
	}
	if len(lost) > 0 {
		c.Warn(fieldOnConflict, "The sync will overwrite what others have written", some("These keys at the destination lose their values, which are kept nowhere: ", lost))
	}
	if len(deleted) > 0 {
		c.Warn(fieldDeletion, "Keys will be deleted at the destination", some("The sync has written these keys and no longer names them: ", deleted)+" To leave them, set deletion = \"retain\".")
	}
	if len(foreign) > 0 {
		c.Warn(fieldOnConflict, "Keys at the destination are in the way", some("Others have written these keys, and the sync will leave them as they are: ", foreign)+" To take one over, adopt it by name.")
	}
}

// some names a few of many.
func some(before string, names []string) string {
	const most = 10
	if len(names) == 0 {
		return ""
	}
	if len(names) > most {
		return before + strings.Join(names[:most], ", ") + fmt.Sprintf(", and %d more.", len(names)-most)
	}
	return before + strings.Join(names, ", ") + "."
}

// suspect warns of what a definition may lead to, where the engine cannot tell.
func (r *sync) suspect(c *base.PlanCall[base.Object]) {
	if conflict, _ := c.Model.JSON(fieldOnConflict); conflict == provider.ConflictOverwrite && (c.Creates || !c.Model[fieldOnConflict].Equal(c.Prior[fieldOnConflict])) {
		c.Warn(fieldOnConflict, "The sync will overwrite what others have written",
			"A key at the destination that has the name of a secret loses its value, which is kept nowhere. To see first which keys those are, apply on_conflict = \"fail\" and read the sync's plan.")
	}
	if c.Creates {
		return
	}
	for _, name := range []string{provider.FieldInclude, provider.FieldExclude, provider.FieldTags, provider.FieldNameTemplate} {
		if deletes, _ := c.Model.JSON(fieldDeletion); deletes == provider.DeletionManaged && !c.Model[name].Equal(c.Prior[name]) {
			c.Warn(name, "Keys may be deleted at the destination",
				"What the sync has written and no longer names is deleted there, because deletion is \"managed\". To leave it, set deletion = \"retain\".")
			break
		}
	}
}
