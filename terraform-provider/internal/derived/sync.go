package derived

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/base"
)

const (
	fieldPurge      = provider.FieldPurge
	fieldOnConflict = provider.FieldOnConflict
	fieldDeletion   = provider.FieldDeletion
)

// While a purge runs, the engine is polled every askEvery for at most askAtMost. A purge can be
// slow, because the destination limits the request rate.
const (
	askEvery  = 500 * time.Millisecond
	askAtMost = 5 * time.Minute
)

// sync is the resource of a destination.
type sync struct {
	provider.Destination
	columns []column
}

// Sync returns the resource stashbase_sync_<destination>.
func Sync(p provider.Declaration, d provider.Destination) func() resource.Resource {
	own := provider.SyncFields(p, d)
	r := sync{Destination: d, columns: settings(own)}
	for _, f := range d.Fields {
		r.columns = append(r.columns, column{Field: f})
	}
	attributes := map[string]schema.Attribute{
		fieldPurge: schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			MarkdownDescription: "Whether destroying the sync deletes the entries that it wrote. Apply it before the sync is destroyed. Default: `false`.",
		},
	}
	for _, c := range r.columns {
		attributes[c.Name] = c.attribute()
	}
	return base.New(base.Kind[base.Object]{
		Name: "sync_" + attributeName(d.Name),
		Help: d.Title + ": a sync keeps its entries at this destination equal to the secrets of one environment. " + d.Help + "\n\n" +
			"The sync runs in the background whenever a secret changes; an apply does not wait for it. It does not change entries that it did not write, unless `on_conflict` allows it.",
		Keys:       keys(own),
		Attributes: attributes,
		Create:     r.create, Adopt: r.adopt, Read: r.read, Update: r.write, Delete: r.delete, Plan: r.plan,
	})
}

// plan warns of destructive effects that Terraform's plan does not show.
func (r *sync) plan(ctx context.Context, c *base.PlanCall[base.Object]) error {
	if !r.foresee(ctx, c) {
		r.suspect(c)
	}
	if c.Creates {
		return nil
	}
	changed := r.replacing(c)
	if changed == "" {
		return nil
	}
	if purges, _ := c.Prior.JSON(fieldPurge); purges == true {
		c.Warn(changed, "The sync's entries will be deleted", "Changing "+changed+" replaces the sync. With purge = true, the entries of the present sync are deleted at the destination.")
	} else {
		c.Warn(changed, "The sync's entries will be left behind", "Changing "+changed+" replaces the sync. The entries of the present sync stay at the destination without an owner, "+
			"and a new sync to the same target reports them as conflicts. To delete them, apply purge = true first.")
	}
	return nil
}

// replacing returns the first attribute whose change replaces the sync; "" if there is none.
func (r *sync) replacing(c *base.PlanCall[base.Object]) string {
	if c.Replaces != nil {
		return c.Replaces.Attribute
	}
	for _, column := range r.columns {
		if column.Fixed && column.changed(&c.Model, &c.Prior) {
			return column.Name
		}
	}
	return ""
}

func (r *sync) place(c *base.Call[base.Object]) client.SyncPlace {
	return client.SyncPlace{Source: c.Place(), Destination: r.Name, Name: c.Names[3]}
}

func (r *sync) create(ctx context.Context, c *base.Call[base.Object]) error {
	_, err := c.Client.Sync(ctx, r.place(c))
	if err := c.MustNotExist(err); err != nil {
		return err
	}
	return r.write(ctx, c)
}

// adopt accepts an existing sync with the same definition: it has written exactly the entries that
// this sync would write.
func (r *sync) adopt(ctx context.Context, c *base.Call[base.Object]) (bool, error) {
	now, err := c.Client.Sync(ctx, r.place(c))
	if err != nil || now[provider.FieldPurging] == true || now[provider.FieldPaused] == true {
		return false, err
	}
	if err := fill(r.columns, &c.Model, now); err != nil {
		return false, err
	}
	return c.AsPlanned(ctx)
}

func (r *sync) read(ctx context.Context, c *base.Call[base.Object]) error {
	found, err := c.Client.Sync(ctx, r.place(c))
	if err != nil {
		return err
	}
	if !c.Model.Given(fieldPurge) { // the engine does not know it; null after an import
		if err := c.Model.SetJSON(fieldPurge, tftypes.Bool, false); err != nil {
			return err
		}
	}
	return fill(r.columns, &c.Model, found)
}

// write sends the fields that may change. A change of a fixed field replaces the resource.
func (r *sync) write(ctx context.Context, c *base.Call[base.Object]) error {
	columns := r.columns
	if c.Prior != nil {
		columns = slices.DeleteFunc(slices.Clone(columns), func(column column) bool { return column.Fixed })
	}
	body, err := sent(columns, &c.Model, &c.Prior)
	if err != nil {
		return err
	}
	_, err = c.Client.WriteSync(ctx, r.place(c), body)
	return err
}

func (r *sync) delete(ctx context.Context, c *base.Call[base.Object]) error {
	purges, err := c.Model.JSON(fieldPurge)
	if err != nil {
		return err
	}
	if err := c.Client.DeleteSync(ctx, r.place(c), purges == true); err != nil {
		return err
	}
	return r.gone(ctx, c)
}

// gone waits for the end of a purge, which runs in the background. Until then the sync still uses
// its integration.
func (r *sync) gone(ctx context.Context, c *base.Call[base.Object]) error {
	ctx, cancel := context.WithTimeout(ctx, askAtMost)
	defer cancel()
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for {
		found, err := c.Client.Sync(ctx, r.place(c))
		if err != nil {
			return err // the caller accepts an error for which client.IsGone holds
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the sync is still deleting its entries at the destination (state %v); check its status, then destroy again", found[fieldState])
		case <-ticker.C:
		}
	}
}
