package activity_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/activity"
)

var (
	aSync        = activity.Sync{Workspace: "acme", Project: "api", Environment: "production", Destination: "vault-kv", Name: "main"}
	aIntegration = activity.Integration{Workspace: "acme", Provider: "vault", Name: "main"}
)

// lines returns the log lines of events, without the time.
func lines(t *testing.T, events ...activity.Event) []map[string]any {
	t.Helper()
	var out bytes.Buffer
	sink := activity.ToLog(hclog.New(&hclog.LoggerOptions{JSONFormat: true, Output: &out}))
	for _, e := range events {
		sink.Record(e)
	}
	var all []map[string]any
	for line := range strings.Lines(out.String()) {
		var one map[string]any
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		delete(one, "@timestamp")
		all = append(all, one)
	}
	return all
}

func TestEachEventIsOneStructuredLine(t *testing.T) {
	failed, _ := activity.OfSync(aSync, activity.Condition{State: "SYNCED"}, activity.Condition{State: "FAILED", Class: "auth", NeedsPerson: true})
	recovered, _ := activity.OfIntegration(aIntegration, activity.Condition{State: "ready", Class: "auth", NeedsPerson: true}, activity.Condition{State: "ready"})
	deletions := activity.OfDeletions(aSync, []string{"B", "A"})
	got := lines(t, append([]activity.Event{failed, recovered}, deletions...)...)
	want := []map[string]any{
		{
			"@level": "warn", "@message": "the state of a sync has changed", "event": "sync-state",
			"workspace": "acme", "project": "api", "environment": "production", "destination": "vault-kv", "name": "main",
			"from": "SYNCED", "to": "FAILED", "error_class": "auth", "needs_person": true,
		},
		{
			"@level": "info", "@message": "the state of an integration has changed", "event": "integration-state",
			"workspace": "acme", "provider": "vault", "name": "main",
			"from": "ready", "to": "ready", "error_class": "", "needs_person": false,
		},
		{
			"@level": "info", "@message": "a sync has deleted entries at its destination", "event": "sync-deletions",
			"workspace": "acme", "project": "api", "environment": "production", "destination": "vault-kv", "name": "main",
			"count": 2.0, "entries": []any{"B", "A"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
}

func TestAnUnchangedConditionIsNoEvent(t *testing.T) {
	same := activity.Condition{State: "RETRYING", Class: "network"}
	if _, changed := activity.OfSync(aSync, same, same); changed {
		t.Error("an unchanged sync is an event")
	}
	if _, changed := activity.OfIntegration(aIntegration, same, same); changed {
		t.Error("an unchanged integration is an event")
	}
	other := same
	other.Class = "auth"
	if _, changed := activity.OfSync(aSync, same, other); !changed {
		t.Error("another error class is no event")
	}
}

// A run can delete thousands of entries. Every name is logged, and no line is longer than a log
// collector accepts.
func TestManyDeletionsAreLoggedInSeveralLines(t *testing.T) {
	var names []string
	for i := range 2*activity.MaxNamed + 1 {
		names = append(names, fmt.Sprintf("NAME_%d", i))
	}
	var logged []string
	for i, line := range lines(t, activity.OfDeletions(aSync, names)...) {
		entries, _ := line["entries"].([]any)
		if len(entries) > activity.MaxNamed || line["count"] != float64(len(entries)) {
			t.Errorf("line %d has %d entries and count %v", i, len(entries), line["count"])
		}
		for _, name := range entries {
			logged = append(logged, fmt.Sprint(name))
		}
	}
	if !reflect.DeepEqual(logged, names) {
		t.Errorf("logged %v", logged)
	}
	if events := activity.OfDeletions(aSync, nil); len(events) != 0 {
		t.Errorf("no deletion makes %d events", len(events))
	}
}

func TestThePageDescribesTheCatalogue(t *testing.T) {
	page, err := os.ReadFile("../../../docs/operations/health.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range activity.Kinds() {
		if !strings.Contains(string(page), "| `"+string(kind)+"` |") {
			t.Errorf("docs/operations/health.md does not describe the event %s", kind)
		}
	}
}
