package crashtest

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// view holds everything that can be read from a mount: a response or error by path. Ids and
// fingerprints are random and are left out.
type view map[string]string

var (
	lastUsed = regexp.MustCompile(`"last_used_time":"[^"]*",?`)
	visited  = regexp.MustCompile(`"(hint|state)":"(there are changes to apply, and trigger is manual; run the sync|PENDING|SYNCED)"`)
)

func (v view) ask(m *mount, req request) data {
	response, err := m.Do(req)
	key := string(req.Op) + " " + req.Path
	if len(req.Data) > 0 {
		key += fmt.Sprint(" ", req.Data)
	}
	delete(response, "id")
	delete(response, "fingerprint")
	delete(response, "next_actions") // they depend on the state of a sync
	text, _ := json.Marshal(response)
	text = lastUsed.ReplaceAll(text, nil)              // the verification is a use
	text = visited.ReplaceAll(text, []byte(`"$1":""`)) // a start visits a sync early
	v[key] = string(text)
	var refused *enginetest.Refused
	if errors.As(err, &refused) {
		v[key] = fmt.Sprintf("%d %s %s", refused.Status, refused.Word(), text)
	}
	return response
}

func (v view) names(m *mount, path string) []string {
	raw, _ := v.ask(m, request{Op: list, Path: path + "/"})["keys"].([]any)
	var names []string
	for _, name := range raw {
		names = append(names, fmt.Sprint(name))
	}
	return names
}

// observe reads everything from a mount.
func observe(t *testing.T, m *mount) view {
	t.Helper()
	v := make(view)
	v.ask(m, request{Op: read, Path: "config"})
	v.ask(m, request{Op: read, Path: "master-key"})
	for _, w := range v.names(m, "workspaces") {
		v.ask(m, request{Op: read, Path: "workspaces/" + w})
		v.ask(m, request{Op: read, Path: "keys/" + w})
		v.integrations(m, w)
		for _, p := range v.names(m, "projects/"+w) {
			v.ask(m, request{Op: read, Path: "projects/" + w + "/" + p})
			for _, e := range v.names(m, "environments/"+w+"/"+p) {
				v.environment(m, w+"/"+p+"/"+e)
			}
		}
	}
	v.ask(m, request{Op: read, Path: "info"})
	v["sealed under"] = fmt.Sprint(keyVersions(t, m.Storage))
	return v
}

func (v view) environment(m *mount, place string) {
	v.ask(m, request{Op: read, Path: "environments/" + place})
	v.ask(m, request{Op: read, Path: "load/" + place})
	v.ask(m, request{Op: read, Path: "metadata/" + place})
	for _, name := range v.names(m, "secrets/"+place) {
		if strings.HasPrefix(name, "BIG_") {
			continue // load returns them; reading them again takes too long
		}
		v.ask(m, request{Op: read, Path: "secrets/" + place + "/" + name})
		history := v.ask(m, request{Op: read, Path: "metadata/" + place + "/" + name})
		versions, _ := history["versions"].(data)
		for n := range versions {
			v.ask(m, request{Op: read, Path: "secrets/" + place + "/" + name, Data: data{"version": n}})
		}
	}
}

// differences describes in a few lines how two views differ.
func differences(got, want view) string {
	keys := make(map[string]bool)
	for key := range got {
		keys[key] = true
	}
	for key := range want {
		keys[key] = true
	}
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if got[key] != want[key] {
			lines = append(lines, fmt.Sprintf("%s\n\thas  %.300s\n\twant %.300s", key, got[key], want[key]))
		}
	}
	if len(lines) > 6 {
		lines = append(lines[:6], "...")
	}
	return strings.Join(lines, "\n")
}

// checkClean reports every entry in storage that nothing leads to.
func checkClean(t *testing.T, s *enginetest.Storage) {
	t.Helper()
	c := newInspection(t, s)
	for _, key := range s.Keys() {
		kind, rest, _ := strings.Cut(key, "/")
		parent, _, _ := strings.Cut(rest, "/")
		switch id := store.ID(parent); {
		case kind == "log":
			t.Errorf("the redo log %s is left", key)
		case kind == "undone":
			t.Errorf("the mark %s is left after a creation or deletion", key)
		case kind == "sync" && !c.environments[id], (kind == "ledger" || kind == "syncstate") && !c.syncs[id]:
			t.Errorf("%s is an orphan", key)
		case kind == "cred":
			c.checkCredential(t, key, store.ID(rest))
		case kind == "keys" && !c.workspaces[store.ID(rest)], kind == "int" && !c.workspaces[id], kind == "proj" && !c.workspaces[id], kind == "env" && !c.projects[id],
			(kind == "sec" || kind == "ver" || kind == "tomb") && !c.environments[id]:
			t.Errorf("%s is an orphan", key)
		case kind == "ver":
			c.checkOldValue(t, key, rest)
		case kind == "sec":
			c.checkHead(t, key, id, strings.TrimPrefix(rest, parent+"/"))
		}
	}
	for id := range c.workspaces {
		if s.Raw("keys/"+string(id)) == nil {
			t.Errorf("a workspace has no keys")
		}
	}
}

// inspection holds the objects that have records in storage.
type inspection struct {
	store                              *store.Store
	workspaces, projects, environments map[store.ID]bool
	syncs                              map[store.ID]bool

	generations map[store.ID]uint64 // current generation of each credential, by integration
}

func newInspection(t *testing.T, s *enginetest.Storage) inspection {
	t.Helper()
	records, err := store.New(s.Clone())
	if err != nil {
		t.Fatal(err)
	}
	c := inspection{
		store: records, workspaces: make(map[store.ID]bool), projects: make(map[store.ID]bool), environments: make(map[store.ID]bool),
		syncs: make(map[store.ID]bool), generations: make(map[store.ID]uint64),
	}
	check := func(err error) {
		if err != nil {
			t.Fatalf("inspect storage: %v", err)
		}
	}
	names, err := records.Workspaces(t.Context())
	check(err)
	for _, w := range names {
		ws, err := records.Workspace(t.Context(), w)
		check(err)
		c.workspaces[ws.ID] = true
		check(c.loadIntegrations(t, ws.ID))
		projects, err := records.Projects(t.Context(), ws.ID)
		check(err)
		for _, p := range projects {
			pr, err := records.Project(t.Context(), ws.ID, p)
			check(err)
			c.projects[pr.ID] = true
			environments, err := records.Environments(t.Context(), pr.ID)
			check(err)
			for _, e := range environments {
				env, err := records.Environment(t.Context(), pr.ID, e)
				check(err)
				c.environments[env.ID] = true
				check(c.loadSyncs(t, env.ID))
			}
		}
	}
	return c
}

func (c inspection) loadSyncs(t *testing.T, env store.ID) error {
	t.Helper()
	names, err := c.store.Syncs(t.Context(), env)
	for destination, all := range names {
		for _, name := range all {
			record, readErr := c.store.Sync(t.Context(), env, destination, name)
			if err = errors.Join(err, readErr); err == nil {
				c.syncs[record.ID] = true
			}
		}
	}
	return err
}

// checkHead checks the values of a head, and that no dying head is left.
func (c inspection) checkHead(t *testing.T, key string, env store.ID, name string) {
	t.Helper()
	head, err := c.store.Head(t.Context(), env, name)
	switch {
	case err != nil || head == nil:
		t.Errorf("%s cannot be read: %v", key, err)
	case head.Dying:
		t.Errorf("%s is left after a purge", key)
	default:
		c.checkValues(t, key, env, name, head)
	}
}

// checkValues checks the values of a head. It holds no value of a destroyed version, and older
// values only within its budget. Versions that are not inline are under ver/.
func (c inspection) checkValues(t *testing.T, key string, env store.ID, name string, head *store.Head) {
	t.Helper()
	older := 0
	for _, v := range head.Versions {
		sealed, inline := head.Value(v.Number)
		if v.Destroyed && len(sealed) > 0 {
			t.Errorf("%s holds the value of the destroyed version %d", key, v.Number)
		}
		if inline && v.Number != head.Newest().Number {
			older += len(sealed)
		}
		if inline || v.Destroyed {
			continue
		}
		if old, err := c.store.OldValue(t.Context(), env, name, v.Number); err != nil || old == nil {
			t.Errorf("%s: version %d is neither inline nor under ver/: %v", key, v.Number, err)
		}
	}
	if older > 8<<10 {
		t.Errorf("%s holds %d bytes of older versions, more than its budget", key, older)
	}
}

// checkOldValue checks that an entry under ver/ belongs to a version that the head keeps, or that
// the next write removes it. The version may be inline, or the newest: an interrupted write has
// spilled it. The number of a version that is not kept must be at least the floor of the head.
func (c inspection) checkOldValue(t *testing.T, key, rest string) {
	t.Helper()
	parts := strings.Split(rest, "/")
	n, err := strconv.ParseUint(parts[2], 10, 64)
	if err != nil {
		t.Fatalf("%s has no number", key)
	}
	head, err := c.store.Head(t.Context(), store.ID(parts[0]), parts[1])
	switch {
	case err != nil || head == nil:
		t.Errorf("%s belongs to no secret (%v)", key, err)
	case head.Dying:
		t.Errorf("%s is left after a purge", key)
	case n > head.Newest().Number, n < head.Versions[0].Number && n < head.Floor:
		t.Errorf("%s belongs to no kept version and no write will remove it: versions %d to %d, floor %d", key, head.Versions[0].Number, head.Newest().Number, head.Floor)
	default:
		if v, kept := head.Version(n); kept && v.Destroyed {
			t.Errorf("%s is left after its version was destroyed", key)
		}
	}
}

// keyVersions counts the values that the heads of a mount keep, by the key version that they are
// sealed under.
func keyVersions(t *testing.T, s *enginetest.Storage) map[uint32]int {
	t.Helper()
	c := newInspection(t, s)
	count := make(map[uint32]int)
	for env := range c.environments {
		names, err := c.store.Secrets(t.Context(), env)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			head, err := c.store.Head(t.Context(), env, name)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range head.Versions {
				sealed, inline := head.Value(v.Number)
				if !inline {
					if old, err := c.store.OldValue(t.Context(), env, name, v.Number); err == nil && old != nil {
						sealed = old.Sealed
					}
				}
				if len(sealed) > 0 {
					count[sealedUnder(sealed)]++
				}
			}
		}
	}
	return count
}

// sealedUnder returns the key version of an envelope.
func sealedUnder(envelope []byte) uint32 { return binary.BigEndian.Uint32(envelope[4:8]) }
