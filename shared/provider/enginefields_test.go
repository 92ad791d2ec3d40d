package provider_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

func TestEngineFieldsAreDeclaredWhole(t *testing.T) {
	d := declaration()
	legal := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	for family, all := range map[string][]provider.EngineField{
		"integration": provider.IntegrationFields(d),
		"sync":        provider.SyncFields(d, d.Destinations[0]),
	} {
		type at struct {
			name  string
			where provider.Where
		}
		seen := make(map[at]bool)
		for _, f := range all {
			switch {
			case !legal.MatchString(f.Name):
				t.Errorf("%s: field %q is not in snake case", family, f.Name)
			case f.Where != 0 && f.Help == "":
				t.Errorf("%s: field %q has no help", family, f.Name)
			case f.Choices != nil && !slices.Contains(f.Choices, f.Default.(string)):
				t.Errorf("%s: the default of field %q is not one of its choices", family, f.Name)
			case (f.Type == provider.Objects) != (len(f.Items) > 0):
				t.Errorf("%s: field %q has items exactly if it is a list of objects", family, f.Name)
			case f.In(provider.InWrite) && !f.In(provider.InRead):
				t.Errorf("%s: field %q is written and never read", family, f.Name)
			}
			for where := provider.InPath; where <= provider.InAction; where <<= 1 {
				if f.In(where) && seen[at{f.Name, where}] {
					t.Errorf("%s: field %q occurs twice at one place", family, f.Name)
				}
				seen[at{f.Name, where}] = seen[at{f.Name, where}] || f.In(where)
			}
		}
	}
}

// A name on these lists is taken for ever: a provider that used it would lose its field to the
// engine.
func TestTheNamesOfEngineFieldsAreReserved(t *testing.T) {
	common := []string{
		"workspace", "name", "description", "provider", "state", "hint", "created_time", "updated_time", "limit", "after", "list", "confirm",
		"id", "engine_namespace", "connection", "count", "depends_on", "for_each", "lifecycle", "provisioner",
	}
	integration := []string{
		"role", "auth", "allowed_environments", "allowed_targets", "rotation_period", "rotation_schedule", "rotation_window", "publish",
		"generation", "fingerprint", "expires_time", "last_used_time", "last_error", "syncs", "credential_time",
	}
	sync := []string{
		"project", "environment", "destination", "integration", "include", "exclude", "tags", "name_template", "transform", "granularity",
		"on_conflict", "deletion", "drift", "drift_interval", "trigger", "purge", "paused", "wait", "keys", "target", "purging", "error_class",
		"attempts", "next_attempt_at", "last_run_at", "last_synced_at", "owned", "troubled", "next_actions", "actions", "acknowledge_restore",
	}
	for _, name := range slices.Concat(common, integration) {
		d := declaration()
		d.Fields = append(d.Fields, provider.Field{Name: name, Help: "More."})
		if _, err := provider.NewRegistry(stub{d}); err == nil {
			t.Errorf("an integration may have a field %q", name)
		}
	}
	for _, name := range slices.Concat(common, sync) {
		d := declaration()
		d.Destinations[0].Fields = append(d.Destinations[0].Fields, provider.Field{Name: name, Help: "More."})
		if _, err := provider.NewRegistry(stub{d}); err == nil {
			t.Errorf("a destination may have a field %q", name)
		}
	}
	d := declaration()
	d.Fields = append(d.Fields, provider.Field{Name: "mount", Help: "More.", Type: provider.Moment})
	if _, err := provider.NewRegistry(stub{d}); err == nil {
		t.Error("a provider may have a field of a type that only the engine has")
	}
}

func TestFieldsAreFoundByPlace(t *testing.T) {
	d := declaration()
	all := provider.SyncFields(d, d.Destinations[0])
	status, found := provider.FindField(all, provider.InStatus, provider.FieldKeys)
	if !found || status.Type != provider.Objects || !strings.HasPrefix(status.ItemsHelp(), "`name`: Name at the destination. `secret`: ") {
		t.Errorf("keys of a status: %v, %q", status.Type, status.ItemsHelp())
	}
	adopt, found := provider.FindField(all, provider.InAction, provider.FieldKeys)
	if !found || adopt.Type != provider.Words {
		t.Errorf("keys of an action: %v", adopt.Type)
	}
	if _, found := provider.FindField(all, provider.InWrite, provider.FieldKeys); found {
		t.Error("keys are found where they do not occur")
	}
}
