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

// How often the engine is asked whether a purge has come to its end, and how long at most. A purge deletes at the other side, with its
// rate limits.
const (
	askEvery  = 500 * time.Millisecond
	askAtMost = 5 * time.Minute
)

// sync is the resource for a destination.
type sync struct {
	provider.Destination
	columns []column
}

// Sync makes stashbase_sync_<destination>.
func Sync(p provider.Declaration, d provider.Destination) func() resource.Resource {
	own := provider.SyncFields(p, d)
	r := sync{Destination: d, columns: settings(own)}
	for _, f := range d.Fields {
		r.columns = append(r.columns, column{Field: f})
	}
	attributes := map[string]schema.Attribute{
		fieldPurge: schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			MarkdownDescription: "Whether destroying the sync deletes what it has written at the destination. It must be applied before the destruction. Default: `false`.",
		},
	}
	for _, c := range r.columns {
		attributes[c.Name] = c.attribute()
	}
	return base.New(base.Kind[base.Object]{
		Name: "sync_" + attributeName(d.Name),
		Help: d.Title + ": a sync makes this destination equal to one environment, for the keys it owns. " + d.Help + "\n\n" +
			"It runs in the background, whenever a secret changes: an apply does not wait for it. What is there and was not written by it is left alone, unless `on_conflict` says otherwise.",
		Keys:       keys(own),
		Attributes: attributes,
		Create:     r.create, Adopt: r.adopt, Read: r.read, Update: r.write, Delete: r.delete, Plan: r.plan,
	})
}

// plan warns of what destroys something that is not seen in the plan.
func (r *sync) plan(ctx context.Context, c *base.PlanCall[base.Object]) error {
	if !r.foresee(ctx, c) {
		r.suspect(c)
	}
	if c.Creates {
		return nil
	}
	purges, _ := c.Prior.JSON(fieldPurge)
	for _, column := range r.columns {
		if !column.Fixed || c.Model[column.Name].Equal(c.Prior[column.Name]) {
			continue
		}
		if purges == true {
			c.Warn(column.Name, "What the sync has written will be deleted", "Another "+column.Name+" makes another sync. With purge = true, the keys of the one there is are deleted at the destination.")
		} else {
			c.Warn(column.Name, "What the sync has written will stay", "Another "+column.Name+" makes another sync. The keys of the one there is stay at the destination as keys of nobody, and a new sync to the same place reports them as conflicts. To delete them, apply purge = true first.")
		}
		break
	}
	return nil
}

func (r *sync) place(c *base.Call[base.Object]) client.SyncPlace {
	return client.SyncPlace{Source: c.Place(), Destination: r.Name, Name: c.Names[3]}
}

func (r *sync) create(ctx context.Context, c *base.Call[base.Object]) error {
	_, err := c.Client.Sync(ctx, r.place(c))
	if err := c.New(err); err != nil {
		return err
	}
	return r.write(ctx, c)
}

// adopt takes over a sync with the same definition. What such a sync has written already is what this one would write.
func (r *sync) adopt(ctx context.Context, c *base.Call[base.Object]) (bool, error) {
	now, err := c.Client.Sync(ctx, r.place(c))
	if err != nil || now["purging"] == true || now["paused"] == true {
		return false, err
	}
	if err := fill(r.columns, &c.Model, now); err != nil {
		return false, err
	}
	return c.AsPlanned(ctx)
}

func (r *sync) read(ctx context.Context, c *base.Call[base.Object]) error {
	answer, err := c.Client.Sync(ctx, r.place(c))
	if err != nil {
		return err
	}
	if !c.Model.Given(fieldPurge) { // known here only, and not after an import
		if err := c.Model.SetJSON(fieldPurge, tftypes.Bool, false); err != nil {
			return err
		}
	}
	return fill(r.columns, &c.Model, answer)
}

// write sends the fields that may be changed. Of one that is fixed, another value makes another object.
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

// gone waits for the end of a purge, which goes on in the background: until then the sync uses its integration.
func (r *sync) gone(ctx context.Context, c *base.Call[base.Object]) error {
	ctx, cancel := context.WithTimeout(ctx, askAtMost)
	defer cancel()
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for {
		answer, err := c.Client.Sync(ctx, r.place(c))
		if err != nil {
			return err // that it is gone is what the caller waits for
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("its keys are still being deleted at the destination, and it is in state %v; look at its status, and destroy again", answer[fieldState])
		case <-ticker.C:
		}
	}
}
