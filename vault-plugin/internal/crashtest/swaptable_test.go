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

// swapped are the things of the world whose records are swapped: an entry in storage, and what can
// be read of it.
type swapped struct {
	key  string
	fail []string // beginnings of the probes that must fail
	may  []string // beginnings of those that may
}

const (
	refusal = "refused: " // begins what a probe finds that delivers nothing
	spilled = 9 << 10     // bytes of a value: too many for old versions to be kept in the head
)

// swapSyncs are syncs of the world, by the shelf that each writes to. Those on shelves of "ran"
// have run before anything is swapped.
var swapSyncs = map[string]string{
	"swap-one": "acme/api/dev/toy-shelf/one", "swap-two": "acme/api/dev/toy-shelf/two", "swap-three": "acme/api/prod/toy-shelf/one", "swap-four": "other/api/dev/toy-shelf/one",
	"swap-ran": "acme/api/dev/toy-shelf/ran", "swap-ran-too": "acme/api/prod/toy-shelf/ran", "swap-ran-elsewhere": "other/api/dev/toy-shelf/ran",
}

// swapWorld is the world with old versions that have entries of their own, and with syncs.
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

// probes reads everything that has a value, and runs every sync.
func probes(m *mount) map[string]string {
	found := make(map[string]string)
	ask := func(name string, req request, of func(data) string) {
		answer, err := m.Do(req)
		var refused *enginetest.Refused
		if errors.As(err, &refused) {
			found[name] = refusal + refused.Text
			return
		}
		found[name] = of(answer)
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

// clearShelves takes away what syncs have written that had not run before.
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

// swapTable lists the entries by kind.
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

// TestWhatIsSwappedInStorageOpensNowhere swaps any two records of a kind, and starts on that. What
// a name leads to then is what was written under that name, or an error that says what to restore:
// no value is delivered, or sent, under another name. What is not touched by the swap works as
// before, and so does everything once the entries are back.
func TestWhatIsSwappedInStorageOpensNowhere(t *testing.T) {
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
			t.Fatalf("untouched, %s is %s", name, value)
		}
	}
	for kind, all := range swapTable(t, clean) {
		for i, one := range all {
			for _, other := range all[i+1:] {
				t.Run(kind+" "+one.key+" and "+other.key, func(t *testing.T) {
					s := clean.Clone()
					entry, another := s.Raw(one.key), s.Raw(other.key)
					if entry == nil || another == nil {
						t.Fatalf("%s or %s does not exist: the test would show nothing", one.key, other.key)
					}
					s.SetRaw(one.key, another)
					s.SetRaw(other.key, entry)
					found, shelves := run(s)
					judge(t, right, found, append(one.fail, other.fail...), append(one.may, other.may...))
					for shelf, content := range shelves {
						if content != written[shelf] && content != fmt.Sprint(map[string]string{}) {
							t.Errorf("the shelf %q has %s", shelf, content)
						}
					}
					s.SetRaw(one.key, entry)
					s.SetRaw(other.key, another)
					if found, _ := run(s); !maps.Equal(found, right) {
						t.Errorf("moved back, it reads otherwise")
					}
				})
			}
		}
	}
}

func judge(t *testing.T, right, found map[string]string, fail, may []string) {
	t.Helper()
	for name, value := range found {
		switch refused := strings.HasPrefix(value, refusal); {
		case !refused && value != right[name]:
			t.Errorf("%s delivers another's: %.80s", name, value)
		case begins(name, fail) && !refused:
			t.Errorf("%s is not refused: %.80s", name, value)
		case !begins(name, fail) && !begins(name, may) && refused:
			t.Errorf("the neighbour %s suffers: %s", name, value)
		case refused && !explains(value):
			t.Errorf("%s is refused without a word on what to restore: %s", name, value)
		}
	}
}

// explains reports whether a refusal says what to do. What is not there under a swapped parent is
// missing as far as can be known, and what was not sent because its source cannot be read names
// that.
func explains(text string) bool {
	for _, part := range []string{"restore", "does not exist", "supply it again", "cannot be read"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}
