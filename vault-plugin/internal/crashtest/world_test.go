package crashtest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

const (
	write   = logical.UpdateOperation
	read    = logical.ReadOperation
	list    = logical.ListOperation
	destroy = logical.DeleteOperation
)

type (
	data    = enginetest.Data
	mount   = enginetest.Mount
	request = enginetest.Request
)

// places lists the paths of the environments of the world.
var places = []string{"acme/api/dev", "acme/api/prod", "acme/web/dev", "other/api/dev"}

// large is so long that a head has no room for it as an older value.
var large = strings.Repeat(" and more", 1000)

// text returns the value of a version of a secret of the world. All older versions of B are
// spilled, the older of two of C, and none of A.
func text(place, name string, version int) string {
	value := fmt.Sprintf("%s of %s, version %d", name, place, version)
	if name == "B" && version == 3 || name == "C" && version == 2 {
		value += large
	}
	return value
}

// world returns a mount with two workspaces. Its secrets have dropped, kept and deleted versions,
// and inline and spilled values.
func world(t *testing.T) *mount {
	t.Helper()
	m := enginetest.Setup{Providers: toys.registry}.Open(t)
	m.Populate("acme", "api", "dev", "prod")
	m.Write("projects/acme/web", nil)
	m.Write("environments/acme/web/dev", nil)
	m.Populate("other", "api", "dev")
	m.Write("workspaces/acme", data{"max_versions": 3, "deletion_allowed": true})
	for _, integration := range integrations {
		m.Write(integration, data{"key": toys.key, "allowed_environments": "api/*"})
	}
	for _, place := range places {
		for _, name := range []string{"A", "B", "C"} {
			for v := range 4 {
				m.Write("secrets/"+place+"/"+name, data{"value": text(place, name, v+1), "tags": "x"})
			}
		}
		m.Write("secrets/"+place+"/ONCE", data{"value": "once", "comment": "one version"})
		m.Write("secrets/"+place+"/GONE", data{"value": "gone"})
		m.Delete("secrets/"+place+"/GONE", nil)
	}
	m.Settle()
	return m
}

// operation is an operation that is interrupted.
type operation struct {
	name    string
	prepare func(m *mount) // adds what the operation needs to the world
	request request

	parallel bool // the order of its storage calls varies
	heals    bool // the process cleans up after an outage without a restart
}

func operations() []operation {
	big := make(data)
	for i := range 8 {
		big[fmt.Sprintf("BIG_%02d", i)] = strings.Repeat(string(rune('a'+i)), 60<<10)
	}
	many := data{"A": "imported", "NEW": "new", "GONE": "back"}
	for name, value := range big {
		many[name] = value
	}
	grown := func(m *mount) { m.Write("import/acme/api/dev", data{"secrets": big}); m.Settle() }
	wide := func(m *mount) {
		few := make(data)
		for i := range 8 {
			few[fmt.Sprintf("WIDE_%d", i)] = "wide"
		}
		m.Write("import/acme/api/dev", data{"secrets": few})
		m.Settle()
	}
	healing := append(secretOperations(), integrationOperations()...)
	for i := range healing {
		healing[i].heals = true
	}
	return append(healing, []operation{
		{name: "create a secret", request: request{Op: write, Path: "secrets/acme/api/dev/NEW", Data: data{"value": "new"}}},
		{name: "update a secret", request: request{Op: write, Path: "secrets/acme/api/dev/A", Data: data{"value": "next"}}},
		{name: "update a secret with versions to prune", request: request{Op: write, Path: "secrets/acme/api/dev/A", Data: data{"value": "next", "cas": 4}},
			prepare: func(m *mount) { m.Write("workspaces/acme", data{"max_versions": 1}) }},
		{name: "update a secret whose newest value is too large for the head", parallel: true,
			request: request{Op: write, Path: "secrets/acme/api/dev/A", Data: data{"value": "next"}},
			prepare: func(m *mount) { m.Write("secrets/acme/api/dev/A", data{"value": large}) }},
		{name: "update a secret with a large value", request: request{Op: write, Path: "secrets/acme/api/dev/C", Data: data{"value": large}}},
		{name: "repeat an interrupted update", parallel: true, prepare: spillNewest,
			request: request{Op: write, Path: "secrets/acme/api/dev/A", Data: data{"value": "never"}}},
		{name: "import over secrets that spill", parallel: true,
			request: request{Op: write, Path: "import/acme/api/dev", Data: data{"secrets": data{"A": "next", "B": "next", "C": large, "NEW": large}}},
			prepare: func(m *mount) {
				m.Write("import/acme/api/dev", data{"secrets": data{"A": large, "B": large, "C": large}})
			}},
		{name: "delete a secret", request: request{Op: destroy, Path: "secrets/acme/api/dev/A"}},
		{name: "import into several chunks", request: request{Op: write, Path: "import/acme/api/dev", Data: data{"secrets": many}}, parallel: true},
		{name: "import over secrets of several chunks", prepare: grown, parallel: true,
			request: request{Op: write, Path: "import/acme/api/dev", Data: data{"mode": "replace", "confirm": "dev", "secrets": data{"A": "only", "BIG_03": "small", "NEW": "new"}}}},
		{name: "create a workspace", request: request{Op: write, Path: "workspaces/new", Data: data{"description": "new"}}},
		{name: "change a workspace", request: request{Op: write, Path: "workspaces/acme", Data: data{"description": "changed", "max_versions": 2}}},
		{name: "shred a workspace", request: request{Op: destroy, Path: "workspaces/acme", Data: data{"confirm": "acme"}}},
		{name: "create a project", request: request{Op: write, Path: "projects/acme/new", Data: data{"description": "new"}}},
		{name: "delete a project", request: request{Op: destroy, Path: "projects/acme/api", Data: data{"confirm": "api"}}},
		{name: "create an environment", request: request{Op: write, Path: "environments/acme/api/new", Data: data{"production": true}}},
		{name: "lock an environment", request: request{Op: write, Path: "environments/acme/api/dev", Data: data{"locked": true}}},
		{name: "delete an environment", request: request{Op: destroy, Path: "environments/acme/api/dev", Data: data{"confirm": "dev"}}},
		{name: "rotate a workspace's key", prepare: wide, parallel: true, request: request{Op: write, Path: "keys/acme/rotate"}},
		{name: "rewrap a workspace", prepare: behind, parallel: true, request: request{Op: write, Path: "keys/acme/rewrap"}},
		{name: "rotate the master key", parallel: true, request: request{Op: write, Path: "master-key/rotate"},
			prepare: func(m *mount) { m.Write("workspaces/third", nil); m.Write("workspaces/fourth", nil) }},
		{name: "change the configuration", request: request{Op: write, Path: "config", Data: data{"max_versions": 20, "max_projects": 7}}},
	}...)
}

// behind rotates the key of acme and restores the secrets under the old key, so that there is work
// for a rewrap.
func behind(m *mount) {
	saved := make(map[string][]byte)
	for _, key := range m.Storage.Keys() {
		if strings.HasPrefix(key, "sec/") || strings.HasPrefix(key, "ver/") {
			saved[key] = m.Storage.Raw(key)
		}
	}
	m.Write("keys/acme/rotate", nil)
	m.Settle()
	for key, value := range saved {
		m.Storage.SetRaw(key, value)
	}
}

// prepared returns the storage and the clock that an operation starts with.
func (o operation) prepared(t *testing.T) (*enginetest.Storage, *enginetest.Clock) {
	t.Helper()
	m := world(t)
	if o.prepare != nil {
		o.prepare(m)
	}
	m.Settle()
	return m.Storage.Clone(), m.Clock
}

// run sends the request of the operation. The request id stays the same when it is repeated.
func (o operation) run(m *mount) error {
	again := o.request
	again.ID = "the operation"
	_, err := m.Do(again)
	return err
}

// open starts a mount on a copy of the storage.
func open(t *testing.T, s *enginetest.Storage, clock *enginetest.Clock) *mount {
	t.Helper()
	return enginetest.Setup{Storage: s.Clone(), Clock: clock, Providers: toys.registry}.Open(t)
}

// end stops the process of a mount.
func end(m *mount) { m.Backend.Cleanup(context.Background()) }
