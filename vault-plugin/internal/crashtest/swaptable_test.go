package crashtest

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// swapped is an entry of the world that is swapped, and the probes that depend on it.
type swapped struct {
	key  string
	fail []string // prefixes of the probes that must fail
	may  []string // prefixes of the probes that may fail
}

const (
	refusal = "refused: " // prefix of the result of a probe that delivers nothing
	spilled = 9 << 10     // bytes of a value that is too large to stay inline
)

// swapSyncs maps the shelf of each sync to its path. The syncs whose shelf contains "ran" have run
// before records are swapped.
var swapSyncs = map[string]string{
	"swap-one": "acme/api/dev/toy-shelf/one", "swap-two": "acme/api/dev/toy-shelf/two", "swap-three": "acme/api/prod/toy-shelf/one", "swap-four": "other/api/dev/toy-shelf/one",
	"swap-ran": "acme/api/dev/toy-shelf/ran", "swap-ran-too": "acme/api/prod/toy-shelf/ran", "swap-ran-elsewhere": "other/api/dev/toy-shelf/ran",
}

// swapWorld is the world with spilled versions and syncs.
func swapWorld(t *testing.T) *mount {
	t.Helper()
	m := world(t)
	for _, place := range places {
		for v := range 3 {
			m.Write("secrets/"+place+"/LARGE", data{"value": fmt.Sprintf("%s, version %d %s", place, v+1, strings.Repeat(".", spilled))})
		}
	}
	for _, integration := range integrations {
		m.Write(integration, data{"allowed_targets": "*", "allowed_environments": "*"})
	}
	for shelf, path := range swapSyncs {
		m.Write("syncs/"+path, data{"integration": "main", "shelf": shelf, "trigger": "manual", "on_conflict": "overwrite", "include": "A,B"})
		if strings.Contains(shelf, "ran") {
			m.Write("syncs/"+path+"/run", nil)
		}
	}
	m.Settle()
	return m
}

// probes reads every value, and runs every sync.
func probes(m *mount) map[string]string {
	found := make(map[string]string)
	ask := func(name string, req request, of func(data) string) {
		response, err := m.Do(req)
		var refused *enginetest.Refused
		if errors.As(err, &refused) {
			found[name] = refusal + refused.Text
			return
		}
		found[name] = of(response)
	}
	value := func(d data) string { return fmt.Sprint(d["value"]) }
	for _, place := range places {
		for _, name := range []string{"A", "B", "LARGE"} {
			ask("secret "+place+"/"+name+" ", request{Op: read, Path: "secrets/" + place + "/" + name}, value)
			ask("secret "+place+"/"+name+"/2", request{Op: read, Path: "secrets/" + place + "/" + name, Data: data{"version": 2}}, value)
		}
		ask("load "+place, request{Op: read, Path: "load/" + place}, func(d data) string { return fmt.Sprint(d) })
	}
	for _, integration := range integrations {
		ask("verify "+integration, request{Op: write, Path: integration + "/verify"}, func(data) string { return "verified" })
	}
	for shelf, path := range swapSyncs {
		_, _ = m.Do(request{Op: write, Path: "syncs/" + path + "/run"})
		m.Settle()
		ask("sync "+path, request{Op: read, Path: "syncs/" + path + "/status"}, func(d data) string {
			if d["state"] == "SYNCED" {
				return fmt.Sprint("synced ", toys.server.Truth(shelf))
			}
			return refusal + fmt.Sprint(d["state"], " ", d["hint"])
		})
	}
	return found
}

// clearShelves removes what the syncs that had not run before have written.
func clearShelves() {
	for shelf := range swapSyncs {
		if !strings.Contains(shelf, "ran") {
			for name := range toys.server.Truth(shelf) {
				toys.server.Remove(shelf, name)
			}
		}
	}
}

func shelvesNow() map[string]string {
	now := make(map[string]string)
	for shelf := range swapSyncs {
		now[shelf] = fmt.Sprint(toys.server.Truth(shelf))
	}
	return now
}

// swapTable returns the entries by kind.
func swapTable(t *testing.T, s *enginetest.Storage) map[string][]swapped {
	t.Helper()
	records, err := store.New(s.Clone())
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	ctx := t.Context()
	table := make(map[string][]swapped)
	add := func(kind, key string, fail, may []string) { table[kind] = append(table[kind], swapped{key, fail, may}) }
	workspaces := make(map[string]store.ID)
	under := func(path string) []string {
		return []string{"secret " + path + "/", "load " + path, "sync " + path + "/"}
	}
	for _, w := range []string{"acme", "other"} {
		ws, err := records.Workspace(ctx, w)
		must(err)
		workspaces[w] = ws.ID
		all := append(under(w), "verify integrations/"+w+"/")
		add("ws", "ws/"+w, all, nil)
		add("keys", "keys/"+string(ws.ID), all, nil)
	}
	for _, path := range []string{"acme/api", "acme/web", "other/api"} {
		w, p, _ := strings.Cut(path, "/")
		add("proj", "proj/"+string(workspaces[w])+"/"+p, under(path), nil)
	}
	environments, _ := keysOf(t, s)
	for _, place := range places {
		names := strings.Split(place, "/")
		project, err := records.Project(ctx, workspaces[names[0]], names[1])
		must(err)
		add("env", "env/"+string(project.ID)+"/"+names[2], under(place), nil)
		delivered := []string{"load " + place, "sync " + place}
		for _, name := range []string{"A", "B", "LARGE"} {
			if name == "B" && place != places[0] {
				continue
			}
			add("sec", "sec/"+string(environments[place])+"/"+name, []string{"secret " + place + "/" + name + " ", "load " + place}, append(delivered, "secret "+place+"/"+name+"/2"))
		}
		for v := 1; v <= 2; v++ {
			fail := []string{"secret " + place + "/LARGE/2"}
			add("ver", fmt.Sprintf("ver/%s/LARGE/%d", environments[place], v), fail[:v-1], nil)
		}
	}
	for _, path := range integrations {
		names := strings.Split(path, "/")
		record, err := records.Integration(ctx, workspaces[names[1]], names[2], names[3])
		must(err)
		used := []string{"sync " + names[1] + "/"}
		add("int", "int/"+string(workspaces[names[1]])+"/toy/"+names[3], []string{"verify " + path}, used)
		add("cred", "cred/"+string(record.ID), []string{"verify " + path}, used)
	}
	for shelf, path := range swapSyncs {
		names := strings.Split(path, "/")
		env := environments[strings.Join(names[:3], "/")]
		record, err := records.Sync(ctx, env, names[3], names[4])
		must(err)
		add("sync", "sync/"+string(env)+"/"+names[3]+"/"+names[4], []string{"sync " + path}, nil)
		if strings.Contains(shelf, "ran") {
			add("ledger", "ledger/"+string(record.ID)+"/0", []string{"sync " + path}, nil)
		}
	}
	return table
}

func begins(name string, with []string) bool {
	for _, prefix := range with {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// TestSwappedRecordsDoNotOpen swaps any two records of a kind and starts on the result. A name must
// then deliver what was written under this name, or an error that says what to restore. No value is
// delivered or sent under another name. Objects that the swap does not touch work as before.
// Everything works again after the records are restored.
func TestSwappedRecordsDoNotOpen(t *testing.T) {
	m := swapWorld(t)
	clean, clock := m.Storage.Clone(), m.Clock
	end(m)
	run := func(s *enginetest.Storage) (found, shelves map[string]string) {
		clearShelves()
		m := start(t, s.Clone(), clock)
		defer end(m)
		return probes(m), shelvesNow()
	}
	right, written := run(clean)
	for name, value := range right {
		if strings.HasPrefix(value, refusal) {
			t.Fatalf("without a swap, %s is %s", name, value)
		}
	}
	for kind, all := range swapTable(t, clean) {
		for i, one := range all {
			for _, other := range all[i+1:] {
				t.Run(kind+" "+one.key+" and "+other.key, func(t *testing.T) {
					s := clean.Clone()
					entry, another := s.Raw(one.key), s.Raw(other.key)
					if entry == nil || another == nil {
						t.Fatalf("%s or %s does not exist, so the test would prove nothing", one.key, other.key)
					}
					s.SetRaw(one.key, another)
					s.SetRaw(other.key, entry)
					found, shelves := run(s)
					checkProbes(t, right, found, append(one.fail, other.fail...), append(one.may, other.may...))
					for shelf, content := range shelves {
						if content != written[shelf] && content != fmt.Sprint(map[string]string{}) {
							t.Errorf("the shelf %q holds %s", shelf, content)
						}
					}
					s.SetRaw(one.key, entry)
					s.SetRaw(other.key, another)
					if found, _ := run(s); !maps.Equal(found, right) {
						t.Errorf("after the records were restored, the results differ from before")
					}
				})
			}
		}
	}
}

func checkProbes(t *testing.T, right, found map[string]string, fail, may []string) {
	t.Helper()
	for name, value := range found {
		switch refused := strings.HasPrefix(value, refusal); {
		case !refused && value != right[name]:
			t.Errorf("%s delivers a wrong value: %.80s", name, value)
		case begins(name, fail) && !refused:
			t.Errorf("%s is not refused: %.80s", name, value)
		case !begins(name, fail) && !begins(name, may) && refused:
			t.Errorf("%s, which the swap does not affect, fails: %s", name, value)
		case refused && !explains(value):
			t.Errorf("the error of %s does not say what to restore: %s", name, value)
		}
	}
}

// explains reports whether an error says what to do. An object under a swapped parent can only be
// reported as missing. A value that was not sent names its unreadable source.
func explains(text string) bool {
	for _, part := range []string{"restore", "does not exist", "supply it again", "cannot be read"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}
