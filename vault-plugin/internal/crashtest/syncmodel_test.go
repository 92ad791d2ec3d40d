package crashtest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncs"
)

// shelfModel models both sides of a sync: the secrets, and the entries of others on the shelf.
type shelfModel struct {
	*shelf
	random  *rand.Rand
	secrets map[string]string
	others  map[string]string
	steps   []string
	n       int
}

var shelfNames = []string{"A", "B", "C", "D", "E", "F"}

func (x *shelfModel) name() string { return shelfNames[x.random.IntN(len(shelfNames))] }

func (x *shelfModel) step(format string, args ...any) {
	x.steps = append(x.steps, fmt.Sprintf(format, args...))
}

// act does one random action.
func (x *shelfModel) act() {
	x.n++
	name := x.name()
	switch x.random.IntN(9) {
	case 0, 1, 2:
		x.secrets[name] = fmt.Sprintf("ours: %s, %d", name, x.n)
		x.step("write %s", name)
		x.m.Write("secrets/acme/api/dev/"+name, data{"value": x.secrets[name]})
	case 3:
		if _, there := x.secrets[name]; there {
			x.step("delete %s", name)
			x.m.Delete("secrets/acme/api/dev/"+name, nil)
			delete(x.secrets, name)
		}
	case 4:
		x.plant(name)
	case 5:
		x.step("remove %s", name)
		x.server.Remove("top", name)
		delete(x.others, name)
	case 6:
		x.fault()
	case 7:
		x.crash()
	case 8:
		x.check()
	}
}

// plant stores an entry of others on the shelf. It does so only if the shelf has no entry of this
// name and the sync owns none. An entry that replaces an entry of the sync belongs to the sync.
func (x *shelfModel) plant(name string) {
	x.check()
	keys, _ := x.m.Read(theSync + "/status")["keys"].([]any)
	for _, k := range keys {
		if one, _ := k.(data); one["name"] == name {
			return
		}
	}
	if _, there := x.server.Truth("top")[name]; there {
		return
	}
	x.others[name] = fmt.Sprintf("theirs: %d", x.n)
	x.step("plant %s", name)
	x.server.Plant("top", name, x.others[name])
}

// fault makes one of the next calls fail, with or without its effect.
func (x *shelfModel) fault() {
	at, effect := len(x.server.Calls())+1+x.random.IntN(6), x.random.IntN(2) == 0
	x.step("fault at call %d, effect %t", at, effect)
	x.server.OnCall(toy.At(at, toy.Lost(effect)))
	x.m.Clock.Advance(syncs.Window)
	x.m.Settle()
}

// crash stops the process at one of the next storage calls of a run.
func (x *shelfModel) crash() {
	at, stored := 1+x.random.IntN(8), x.random.IntN(2) == 0
	x.step("crash at storage call %d, stored %t", at, stored)
	x.m.Backend.Settle()
	x.m.Storage.FailFrom(at, stored)
	x.m.Clock.Advance(syncs.Window)
	x.m.Settle()
	x.restart()
}

// check waits until the sync is at rest, and compares both sides with the model. Some conflicts are
// adopted.
func (x *shelfModel) check() {
	x.t.Helper()
	x.server.OnCall(nil)
	x.rest()
	x.m.Write(theSync+"/run", data{"wait": "10s"})
	status := x.rest()
	truth := x.server.Truth("top")
	for name, value := range truth {
		secret, wanted := x.secrets[name]
		switch other, foreign := x.others[name]; {
		case strings.HasPrefix(value, "theirs") && (!foreign || value != other):
			x.t.Errorf("%s holds %q, which was never written there", name, value)
		case strings.HasPrefix(value, "ours") && foreign:
			x.t.Errorf("the entry %s of others was overwritten", name)
		case strings.HasPrefix(value, "ours") && (!wanted || value != secret):
			x.t.Errorf("%s holds %q, want %q", name, value, secret)
		}
	}
	for name := range x.others {
		if _, there := truth[name]; !there {
			x.t.Errorf("the entry %s of others was deleted", name)
		}
	}
	for name, value := range x.secrets {
		_, foreign := x.others[name]
		if !foreign && truth[name] != value {
			x.t.Errorf("%s holds %q, want %q", name, truth[name], value)
		}
		if foreign && status["state"] != "CONFLICT" {
			x.t.Errorf("%s is in conflict, but the state is %v", name, status["state"])
		}
		if foreign && x.random.IntN(2) == 0 {
			x.step("adopt %s", name)
			x.m.Write(theSync+"/adopt", data{"keys": name})
			delete(x.others, name)
			x.rest() // an adoption applies only to the current secrets
		}
	}
	if x.t.Failed() {
		x.t.Fatalf("after:\n%s\nstatus: %v", strings.Join(x.steps, "\n"), status)
	}
}

// TestSyncModel runs random actions on the source, the shelf and the process. No entry of others
// may be changed, and the shelf must reach the wanted state. SYNC_MODEL_SEEDS=n tries n seeds.
func TestSyncModel(t *testing.T) {
	seeds, err := strconv.Atoi(os.Getenv("SYNC_MODEL_SEEDS"))
	if err != nil {
		seeds = 12
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			o := toy.Options{Batch: 1 + int(seed%3)}
			if seed%2 == 0 {
				o.Limits = &provider.Limits{} // then a run reads single entries
			}
			x := &shelfModel{
				shelf: newShelf(t, o), random: rand.New(rand.NewPCG(seed, 1)),
				secrets: map[string]string{}, others: foreign(),
			}
			x.m.Write("import/acme/api/dev", data{"mode": "replace", "secrets": data{}, "confirm": "dev"})
			x.others["F"], x.others["X"] = "theirs: F", "theirs: X"
			for name, value := range x.others {
				x.server.Plant("top", name, value)
			}
			for range 60 {
				x.act()
			}
			x.check()
			end(x.m)
		})
	}
}
