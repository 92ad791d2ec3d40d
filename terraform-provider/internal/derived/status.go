package derived

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/base"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

// syncStatus is the data source for the status of a sync.
type syncStatus struct {
	base.ConfiguredData
	destinations []string
}

var _ datasource.DataSourceWithConfigure = &syncStatus{}

// SyncStatus returns the data source stashbase_sync_status for syncs to the given destinations.
func SyncStatus(destinations []string) func() datasource.DataSource {
	return func() datasource.DataSource { return &syncStatus{destinations: destinations} }
}

const (
	fieldWaitSeconds = "wait_seconds"
	maxWaitSeconds   = 600
)

// transient lists the states that change without a person's help.
func transient() []any { return []any{"PENDING", "PLANNING", "RUNNING", "RETRYING"} }

// Metadata sets the name of the type.
func (d *syncStatus) Metadata(_ context.Context, _ datasource.MetadataRequest, response *datasource.MetadataResponse) {
	response.TypeName = base.TypePrefix + "sync_status"
}

// Schema returns the schema.
func (d *syncStatus) Schema(_ context.Context, _ datasource.SchemaRequest, response *datasource.SchemaResponse) {
	attributes := statusAttributes()
	attributes["id"] = schema.StringAttribute{
		Computed: true, MarkdownDescription: "`<workspace>/<project>/<environment>/<destination>/<name>`",
	}
	attributes["engine_namespace"] = schema.StringAttribute{
		Optional: true, MarkdownDescription: "Vault namespace (Enterprise) of the engine, if it is not the provider's.",
	}
	attributes[provider.FieldDestination] = schema.StringAttribute{
		Required: true, MarkdownDescription: "Destination of the sync: `" + strings.Join(d.destinations, "`, `") + "`.",
		Validators: []validator.String{stringvalidator.OneOf(d.destinations...)},
	}
	attributes[fieldWaitSeconds] = schema.Int64Attribute{
		Optional: true, MarkdownDescription: "Wait at most this many seconds for the sync to leave the states `PENDING`, `PLANNING`, " +
			"`RUNNING` and `RETRYING`. Default: `0`.",
		Validators: []validator.Int64{int64validator.Between(0, maxWaitSeconds)},
	}
	for _, key := range []base.Key{base.Workspace(), base.Project(), base.Environment(), {Name: "name", Help: "Name of the sync."}} {
		attributes[key.Name] = schema.StringAttribute{Required: true, MarkdownDescription: key.Help, Validators: key.Validators()}
	}
	response.Schema = schema.Schema{
		MarkdownDescription: "Status of a sync, without values. With `wait_seconds` and a `check` or `postcondition`, an apply fails if a secret has not arrived at the destination.",
		Attributes:          attributes,
	}
}

// Read polls until the state is no longer transient or the time is over.
func (d *syncStatus) Read(ctx context.Context, request datasource.ReadRequest, response *datasource.ReadResponse) {
	var m base.Object
	if err := m.FromTerraform(request.Config.Raw); err != nil {
		diagnose.Report(&response.Diagnostics, "read", diagnose.Subject{Name: "the data that Terraform sent"}, err)
		return
	}
	text := func(name string) string {
		value, _ := m.JSON(name) // all are strings, and known
		s, _ := value.(string)
		return s
	}
	at := client.SyncPlace{
		Source:      client.Place{Workspace: text("workspace"), Project: text("project"), Environment: text("environment")},
		Destination: text("destination"), Name: text("name"),
	}
	id := fmt.Sprintf("%s/%s/%s/%s/%s", at.Source.Workspace, at.Source.Project, at.Source.Environment, at.Destination, at.Name)
	vault, err := d.Connection.Client(ctx, text("engine_namespace"))
	var status client.Settings
	if err == nil {
		status, err = await(ctx, vault, at, seconds(&m))
	}
	if err == nil {
		status["id"] = id
		err = d.save(ctx, response, &m, status)
	}
	diagnose.Report(&response.Diagnostics, "read the status of", diagnose.Subject{Name: "sync " + id}, err)
}

func seconds(m *base.Object) time.Duration {
	value, _ := m.JSON(fieldWaitSeconds)
	number, _ := value.(json.Number)
	n, err := number.Int64()
	if err != nil {
		return 0 // the attribute is absent
	}
	return time.Duration(n) * time.Second
}

// await returns the status as soon as its state is not transient, or the last status when the time
// is over.
func await(ctx context.Context, vault *client.Client, at client.SyncPlace, limit time.Duration) (client.Settings, error) {
	over, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for {
		status, err := vault.SyncStatus(ctx, at)
		if err != nil || !slices.Contains(transient(), status[fieldState]) {
			return status, err
		}
		select {
		case <-over.Done():
			return status, ctx.Err()
		case <-ticker.C:
		}
	}
}

// save stores the fields of the engine's response that have an attribute.
func (d *syncStatus) save(ctx context.Context, to *datasource.ReadResponse, m *base.Object, status client.Settings) error {
	for name, attribute := range to.State.Schema.GetAttributes() {
		if !attribute.IsComputed() {
			continue
		}
		if err := m.SetJSON(name, attribute.GetType().TerraformType(ctx), status[name]); err != nil {
			return err
		}
	}
	value, err := m.ToTerraform(to.State.Schema.Type().TerraformType(ctx))
	if err == nil {
		to.State.Raw = value
	}
	return err
}
