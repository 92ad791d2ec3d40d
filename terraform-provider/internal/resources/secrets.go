package resources

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/shared/names"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/base"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

type secrets struct {
	base.Model
	Workspace       types.String `tfsdk:"workspace"`
	Project         types.String `tfsdk:"project"`
	Environment     types.String `tfsdk:"environment"`
	ValuesWO        types.Map    `tfsdk:"values_wo"`
	ValuesWOVersion types.Int64  `tfsdk:"values_wo_version"`
	Comment         types.String `tfsdk:"comment"`
	OnDrift         types.String `tfsdk:"on_drift"`
	OnDestroy       types.String `tfsdk:"on_destroy"`
	Versions        types.Map    `tfsdk:"versions"`
}

// allWritten is the private data of stashbase_secrets: the versions that this resource wrote, by
// name.
type allWritten struct {
	Versions map[string]int64 `json:"versions"`
	// Imported is true from an import until the first write. Versions then has all secrets of the
	// environment, because an import does not see the configuration. Those that values_wo does not
	// name are never deleted.
	Imported bool `json:"imported,omitempty"`
}

// Secrets returns the resource stashbase_secrets.
func Secrets() resource.Resource {
	return base.New(base.Kind[secrets]{
		Name: "secrets",
		Help: "Many secrets of one environment. They are written in one request: all of them or none.\n\n" +
			"The resource manages the names in `values_wo` and no others. A name that is removed from the map is deleted as `on_destroy` says. " +
			"If someone else writes a new version of a secret, the next plan shows it, and the apply writes only that secret again. A secret that was deleted elsewhere is created again. " +
			"Import the resource by the environment's id. The next apply takes over the existing secrets with the names in the map, and leaves all others unchanged. " +
			"An import keeps the values. They count as the values of `values_wo_version = 1`; any other number sends `values_wo`.",
		Keys: []base.Key{base.Workspace(), base.Project(), base.Environment()},
		Attributes: map[string]schema.Attribute{
			"values_wo": schema.MapAttribute{Required: true, Sensitive: true, WriteOnly: true, ElementType: types.StringType, MarkdownDescription: "The values by name." + writeOnly + " The names are not secret: the state contains them in `versions`.", Validators: []validator.Map{
				mapvalidator.NoNullValues(),
				mapvalidator.KeysAre(base.Name(names.Secret)),
			}},
			"values_wo_version": schema.Int64Attribute{Required: true, MarkdownDescription: "Change this number to send all of `values_wo` again. A value that is unchanged gets no new version. A new name is always sent. `1` after an import."},
			"comment":           schema.StringAttribute{Optional: true, Computed: true, MarkdownDescription: "Why the next versions are written. The provider does not read it back."},
			"on_drift":          choiceWithDefault(driftHelp, overwrite, ignore, fail),
			"on_destroy":        choiceWithDefault("What to do with secrets that are no longer managed. `soft`: mark their newest version as deleted, which can be undone; `purge`: remove all versions permanently.", soft, purge),
			"versions":          schema.MapAttribute{Computed: true, ElementType: types.Int64Type, MarkdownDescription: "Number of the newest version of each secret, by name."},
		},
		Fields: map[string]string{"secrets": "values_wo", "content": "values_wo"},
		Create: writeSecrets, Adopt: base.Again(writeSecrets), Read: readSecrets, Update: writeSecrets, Delete: deleteSecrets, Plan: planSecrets,
	})()
}

func planSecrets(ctx context.Context, c *base.PlanCall[secrets]) error {
	if c.Config.Comment.IsNull() {
		c.Model.Comment = types.StringNull()
	}
	if c.Creates {
		return nil
	}
	warnSecretsReplaced(c)
	var last allWritten
	c.Recall(ctx, &last)
	seen, err := numbers(ctx, c.Prior.Versions)
	if err != nil {
		return err
	}
	foreign := last.drifted(seen, c.Config.ValuesWO)
	if len(foreign) > 0 && c.Model.OnDrift.ValueString() == fail {
		return diagnose.At("on_drift", "Someone else wrote newer versions of: %s. Set on_drift to %q to write the values again, or to %q to keep the newer versions.", some(foreign), overwrite, ignore)
	}
	c.Model.Versions = c.Prior.Versions
	again := !c.Model.ValuesWOVersion.Equal(c.Prior.ValuesWOVersion) || len(foreign) > 0 && c.Model.OnDrift.ValueString() == overwrite
	switch {
	case again || last.renamed(seen, c.Config.ValuesWO):
		c.Model.Versions = types.MapUnknown(types.Int64Type)
	case last.Imported && !c.Prior.Comment.IsNull():
		c.Model.Comment = c.Prior.Comment // the resource has written no version that it describes
	}
	return nil
}

// renamed reports whether the names in the configuration differ from those that are live or from
// those that this resource manages.
func (w allWritten) renamed(seen map[string]int64, wanted types.Map) bool {
	if wanted.IsUnknown() {
		return false
	}
	all := slices.Sorted(maps.Keys(wanted.Elements()))
	return !slices.Equal(all, slices.Sorted(maps.Keys(seen))) || !slices.Equal(all, slices.Sorted(maps.Keys(w.Versions)))
}

// drifted returns the names whose newest version someone else wrote. It does not return deleted
// names. After an import, only the wanted names count.
func (w allWritten) drifted(seen map[string]int64, wanted types.Map) []string {
	var all []string
	given := wanted.Elements()
	for name, version := range w.Versions {
		now, ok := seen[name]
		if foreign := w.Imported && !wanted.IsUnknown() && given[name] == nil; ok && now != version && !foreign {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

func readSecrets(ctx context.Context, c *base.Call[secrets]) error {
	var last allWritten
	c.Recall(ctx, &last)
	all, err := c.Connection.AllMetadata(ctx, c.Client, c.Place())
	if err != nil {
		return err
	}
	m := &c.Model
	if m.OnDrift.IsNull() { // the read of an import
		m.OnDrift, m.OnDestroy, m.Comment, m.ValuesWOVersion = types.StringValue(overwrite), types.StringValue(soft), types.StringValue(""), types.Int64Value(importedNumber)
		last = allWritten{Versions: map[string]int64{}, Imported: true}
		for _, name := range living(all) {
			last.Versions[name] = all[name].Version
		}
		if err := c.Keep(ctx, last); err != nil {
			return err
		}
	}
	return m.fill(ctx, slices.Collect(maps.Keys(last.Versions)), all)
}

// writeSecrets first writes the secrets that are new, have drifted or are sent again. It then
// deletes the secrets that are no longer wanted. Each step can be repeated after a failure.
func writeSecrets(ctx context.Context, c *base.Call[secrets]) error {
	m := &c.Model
	wanted, err := texts(ctx, c.Config.ValuesWO)
	if err != nil {
		return err
	}
	var last allWritten
	c.Recall(ctx, &last)
	there, err := c.Client.Metadata(ctx, c.Place())
	if err != nil {
		return err
	}
	if taken := last.foreign(wanted, there); len(taken) > 0 && !holdAlready(ctx, c, wanted, taken) {
		return diagnose.At("values_wo", "The environment already has secrets with these names, which are not managed here: %s. To take them over, import this resource: %s", some(taken), c.ImportCommand())
	}
	seen, err := numbers(ctx, c.Prior.Versions)
	if err != nil {
		return err
	}
	sent := last.due(wanted, there, seen, !m.ValuesWOVersion.Equal(c.Prior.ValuesWOVersion), m.OnDrift.ValueString() == overwrite)
	sent.Comment = c.Config.Comment.ValueString()
	defer c.Connection.Forget(c.Client.Namespace(), c.Place())
	if len(sent.Values) > 0 {
		if _, err := c.Client.Import(ctx, c.Place(), sent); err != nil {
			return err
		}
	}
	for name := range last.Versions {
		if _, stays := wanted[name]; !stays && !last.Imported {
			if err := m.remove(ctx, c, name); err != nil {
				return err
			}
		}
	}
	return keepSecrets(ctx, c, wanted, last, sent.Values)
}

// holdAlready reports whether secrets that are not managed here have the wanted values. That is the
// case if an earlier write succeeded but its response was lost. Writing them again makes no
// version.
func holdAlready(ctx context.Context, c *base.Call[secrets], wanted map[string]string, names []string) bool {
	values := map[string]string{}
	for _, name := range names {
		values[name] = wanted[name]
	}
	done, err := c.Client.Import(ctx, c.Place(), client.ImportInput{Values: values, DryRun: true})
	if err != nil || len(done.Unchanged) != len(names) {
		return false
	}
	c.Warn("values_wo", "The secrets already existed", "They have the configured values, for example because the response of an earlier apply was lost. The resource now manages them: "+some(names)+".")
	return true
}

// due returns the values to write: all of them if again is set, otherwise those that are new,
// deleted or have drifted. Each write names the version that the plan has seen, so it fails if
// someone else has written since.
func (w allWritten) due(wanted map[string]string, there map[string]client.Version, seen map[string]int64, again, repair bool) client.ImportInput {
	due := client.ImportInput{Values: map[string]string{}, CAS: map[string]int64{}}
	for name, value := range wanted {
		written, mine := w.Versions[name]
		now := there[name]
		if !again && mine && now.Live() && (now.Version == written || !repair) {
			continue
		}
		due.Values[name], due.CAS[name] = value, now.Version
		if planned, ok := seen[name]; ok {
			due.CAS[name] = planned
		}
	}
	return due
}

// foreign returns the wanted names under which someone else's live secrets exist.
func (w allWritten) foreign(wanted map[string]string, there map[string]client.Version) []string {
	var names []string
	for name := range wanted {
		if _, mine := w.Versions[name]; !mine && !w.Imported && there[name].Live() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// keepSecrets records the versions that were written. A secret that was not sent keeps its recorded
// version, so that drift remains visible.
func keepSecrets(ctx context.Context, c *base.Call[secrets], wanted map[string]string, last allWritten, sent map[string]string) error {
	now, err := c.Client.Metadata(ctx, c.Place())
	if err != nil {
		return err
	}
	kept := allWritten{Versions: map[string]int64{}}
	for name := range wanted {
		kept.Versions[name] = last.Versions[name]
		if _, written := sent[name]; written {
			kept.Versions[name] = now[name].Version
		}
	}
	if err := c.Keep(ctx, kept); err != nil {
		return err
	}
	return c.Model.fill(ctx, slices.Collect(maps.Keys(wanted)), now)
}

func deleteSecrets(ctx context.Context, c *base.Call[secrets]) error {
	var last allWritten
	c.Recall(ctx, &last)
	if last.Imported {
		c.Warn("", "No secret was deleted", "The resource imported the environment and never wrote a secret, so it is unknown which secrets belong to it. Delete them one by one, or apply a change of values_wo before the resource is destroyed.")
		return nil
	}
	defer c.Connection.Forget(c.Client.Namespace(), c.Place())
	for _, name := range slices.Sorted(maps.Keys(last.Versions)) {
		if err := c.Model.remove(ctx, c, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (m *secrets) remove(ctx context.Context, c *base.Call[secrets], name string) error {
	var err error
	if m.OnDestroy.ValueString() == purge {
		err = c.Client.PurgeSecret(ctx, c.Place(), name)
	} else {
		err = c.Client.DeleteSecret(ctx, c.Place(), name)
	}
	if client.IsGone(err) {
		return nil
	}
	return err
}

// fill sets the versions of the given names that are live.
func (m *secrets) fill(ctx context.Context, names []string, all map[string]client.Version) error {
	versions := map[string]int64{}
	for _, name := range names {
		if all[name].Live() {
			versions[name] = all[name].Version
		}
	}
	filled, diags := types.MapValueFrom(ctx, types.Int64Type, versions)
	m.Versions = filled
	return diagnose.Unexpected(diags)
}

func numbers(ctx context.Context, m types.Map) (map[string]int64, error) {
	all := map[string]int64{}
	if m.IsNull() || m.IsUnknown() {
		return all, nil
	}
	diags := m.ElementsAs(ctx, &all, false)
	return all, diagnose.Unexpected(diags)
}
