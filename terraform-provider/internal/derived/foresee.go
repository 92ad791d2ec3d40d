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

// foresee requests from the engine a plan of the sync as it is planned here, and warns of effects
// that Terraform's plan does not show. It returns false if the engine cannot make such a plan.
// Reasons are an unknown value, an object that the same apply creates, an unreachable destination
// and a missing permission.
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
	case client.Is(err, client.Conflict) && c.Creates && r.exists(ctx, engine, at):
		return false // a replacement: the conflict is with the sync that it replaces
	case errors.As(err, &refused) && client.Is(err, client.Conflict, client.Limit, client.Invalid, client.Denied):
		c.Warn("", "The engine would currently refuse the sync", refused.Text+".\n\n"+asThingsAre)
		return true
	case err != nil:
		return false
	}
	warn(c, plan)
	return true
}

// planned returns the definition that the apply will write. It returns false if part of it is
// unknown, or if the plan replaces the sync.
func (r *sync) planned(c *base.PlanCall[base.Object]) (at client.SyncPlace, body client.Settings, known bool) {
	for _, column := range r.columns {
		replaced := column.Fixed && !c.Creates && column.changed(&c.Model, &c.Prior)
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

func (r *sync) exists(ctx context.Context, engine *client.Client, at client.SyncPlace) bool {
	_, err := engine.Sync(ctx, at)
	return err == nil
}

const asThingsAre = "Other changes of the same apply are not considered."

// changes reports whether the plan changes the definition.
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

// warn reports effects that the user may not intend.
func warn(c *base.PlanCall[base.Object], plan *client.SyncPlan) {
	var overwritten, deleted, foreign, refused []string
	for _, a := range plan.Actions {
		switch {
		case a.TakesOver:
			overwritten = append(overwritten, a.Name)
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
	if len(overwritten) > 0 {
		c.Warn(fieldOnConflict, "The sync will overwrite entries of others", some("These entries lose their values, and no copy is kept: ", overwritten))
	}
	if len(deleted) > 0 {
		c.Warn(fieldDeletion, "The sync will delete entries at the destination", some("The sync wrote these entries and no longer selects them: ", deleted)+" To keep them, set deletion = \"retain\".")
	}
	if len(foreign) > 0 {
		c.Warn(fieldOnConflict, "Entries of others conflict with the sync", some("The sync did not write these entries and will not change them: ", foreign)+" To take an entry over, adopt it by name.")
	}
}

// some joins the first ten names and counts the rest; it returns an empty text for no names.
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

// suspect warns of possible effects of a definition if the engine cannot plan it.
func (r *sync) suspect(c *base.PlanCall[base.Object]) {
	if conflict, _ := c.Model.JSON(fieldOnConflict); conflict == provider.ConflictOverwrite && (c.Creates || !c.Model[fieldOnConflict].Equal(c.Prior[fieldOnConflict])) {
		c.Warn(fieldOnConflict, "The sync may overwrite entries of others",
			"An entry at the destination that has the name of a secret loses its value, and no copy is kept. To list such entries first, apply on_conflict = \"fail\" and read the sync's plan.")
	}
	if c.Creates {
		return
	}
	for _, name := range []string{provider.FieldInclude, provider.FieldExclude, provider.FieldTags, provider.FieldNameTemplate} {
		if deletes, _ := c.Model.JSON(fieldDeletion); deletes == provider.DeletionManaged && !c.Model[name].Equal(c.Prior[name]) {
			c.Warn(name, "The sync may delete entries at the destination",
				"With deletion = \"managed\", the sync deletes entries that it wrote and no longer selects. To keep them, set deletion = \"retain\".")
			break
		}
	}
}
