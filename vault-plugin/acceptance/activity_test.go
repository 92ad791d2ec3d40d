package acceptance_test

import (
	"maps"
	"strings"
	"testing"
)

// eventLines returns the lines of the server log that are events of a workspace, by event.
func eventLines(log, workspace string) map[string][]string {
	found := make(map[string][]string)
	for line := range strings.Lines(log) {
		_, event, isEvent := strings.Cut(line, " event=")
		if kind, _, _ := strings.Cut(event, " "); isEvent && strings.Contains(line, " workspace="+workspace+" ") {
			found[kind] = append(found[kind], line)
		}
	}
	return found
}

// Vault's server log must have the events of a sync, with their fields, and without values.
func TestTheServerLogHasTheEventsOfASync(t *testing.T) {
	s := vault.Server(t)
	y := newSynced(t, s)
	one, two := value(), value()
	y.set("ONE", one)
	y.begin()
	y.plant("TWO", "from somebody")
	y.set("TWO", two)
	y.becomes("CONFLICT")
	y.unset("ONE")
	y.arrives("the deletion", map[string]string{"TWO": "from somebody"})
	y.becomes("CONFLICT")

	events := eventLines(s.ServerLog(), y.workspace())
	for kind, want := range map[string][]string{
		"integration-state": {"[INFO]", "provider=vault", "name=team", "to=ready", "needs_person=false"},
		"sync-deletions":    {"[INFO]", "destination=vault-kv", "name=team", "count=1", "entries=", "ONE"},
	} {
		if len(events[kind]) != 1 {
			t.Errorf("the log has the events %q of kind %s", events[kind], kind)
			continue
		}
		for _, part := range want {
			if !strings.Contains(events[kind][0], part) {
				t.Errorf("%q is not in %s", part, events[kind][0])
			}
		}
	}
	states := events["sync-state"]
	if len(states) != 2 || !strings.Contains(states[0], "to=SYNCED") || !strings.Contains(states[1], "[WARN]") ||
		!strings.Contains(states[1], "from=SYNCED") || !strings.Contains(states[1], "to=CONFLICT") || !strings.Contains(states[1], "error_class=conflict") {
		t.Errorf("the states in the log are %q", states)
	}
	for kind, lines := range events {
		if text := strings.Join(lines, ""); strings.Contains(text, one) || strings.Contains(text, two) {
			t.Errorf("an event %s has a value", kind)
		}
	}
}

// The command line prints plan and status as tables with one line for each item, also to the role
// that manages syncs.
func TestTheCommandLinePrintsPlanAndStatusAsTables(t *testing.T) {
	s := vault.Server(t)
	y := newSynced(t, s)
	y.set("ONE", "1")
	y.begin()
	y.plant("TWO", "from somebody")
	y.set("TWO", "2")
	y.becomes("CONFLICT")
	names := strings.Split(y.env, "/")
	policy, _ := y.read("policies/sync-operator?workspace=" + names[0] + "&project=" + names[1] + "&environment=" + names[2])["policy"].(string)
	operator := s.ClientWithPolicy(t, policy).Token()
	for path, want := range map[string]map[string]string{
		y.sync + "/plan":   {"ONE": "unchanged", "TWO": "conflict"},
		y.sync + "/status": {"ONE": "SYNCED", "TWO": "CONFLICT"},
	} {
		for who, token := range map[string]string{"root": s.RootToken(), "the sync operator": operator} {
			if got := cells(cli(t, s, token, "list", "-detailed", "stashbase/"+path)); !contained(got, want) {
				t.Errorf("%s of %s prints %v", path, who, got)
			}
		}
	}
	table := cli(t, s, s.RootToken(), "list", "-detailed", "stashbase/status/"+names[0])
	sync := strings.TrimPrefix(y.sync, "syncs/"+names[0]+"/")
	if got := cells(table); !contained(got, map[string]string{sync: "CONFLICT", "vault/team": "ready"}) {
		t.Errorf("status prints %v", got)
	}
}

// cells returns the words of each line of a table, by the first word.
func cells(table string) map[string][]string {
	rows := make(map[string][]string)
	for line := range strings.Lines(table) {
		if words := strings.Fields(line); len(words) > 1 {
			rows[words[0]] = words[1:]
		}
	}
	return rows
}

// contained reports whether each row has its word, and the table has no other row.
func contained(rows map[string][]string, want map[string]string) bool {
	rest := maps.Clone(rows)
	for name, word := range want {
		if !strings.Contains(" "+strings.Join(rows[name], " ")+" ", " "+word+" ") {
			return false
		}
		delete(rest, name)
	}
	delete(rest, "Keys")
	delete(rest, "----")
	return len(rest) == 0
}
