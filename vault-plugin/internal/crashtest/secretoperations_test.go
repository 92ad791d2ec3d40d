package crashtest

import (
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

const patch = logical.PatchOperation

// secretOperations returns the operations on versions and metadata of secrets, and those related to
// locks and old keys.
func secretOperations() []operation {
	const a = "acme/api/dev/A" // keeps versions 2 to 4
	versions := func(numbers string) data { return data{"versions": numbers} }
	return []operation{
		{name: "delete versions", request: request{Op: destroy, Path: "secrets/" + a, Data: versions("2,4")}},
		{name: "undelete versions", request: request{Op: write, Path: "undelete/" + a, Data: versions("2,4")},
			prepare: func(m *mount) { m.Delete("secrets/"+a, versions("2,3,4")) }},
		{name: "destroy versions", request: request{Op: write, Path: "destroy/" + a, Data: versions("2,3")}},
		{name: "destroy the newest version", request: request{Op: write, Path: "destroy/" + a, Data: versions("4")}},
		{name: "destroy spilled and inline versions", parallel: true, request: request{Op: write, Path: "destroy/acme/api/dev/C", Data: versions("2,3")}},
		{name: "destroy spilled versions and the newest", parallel: true, request: request{Op: write, Path: "destroy/acme/api/dev/B", Data: versions("2,3,4")}},
		{name: "destroy values that an interrupted write spilled", parallel: true, prepare: spillNewest,
			request: request{Op: write, Path: "destroy/" + a, Data: versions("4,5")}},
		{name: "roll back", request: request{Op: write, Path: "rollback/" + a, Data: data{"version": 2, "comment": "back"}}},
		{name: "roll back to a spilled version", request: request{Op: write, Path: "rollback/acme/api/dev/B", Data: data{"version": 3}}},
		{name: "roll back a secret with values that an interrupted write spilled", parallel: true, prepare: spillNewest,
			request: request{Op: write, Path: "rollback/" + a, Data: data{"version": 4}}},
		{name: "patch the tags", request: request{Op: patch, Path: "secrets/" + a, Data: data{"tags": "y"}}},
		{name: "patch the value", request: request{Op: patch, Path: "secrets/" + a, Data: data{"value": "patched"}}},
		{name: "lower a secret's max_versions", prepare: onlyNewest("A"), request: request{Op: write, Path: "metadata/" + a,
			Data: data{"max_versions": 1, "cas_required": true, "custom_metadata": data{"owner": "payments"}}}},
		{name: "change the metadata of a secret with values that an interrupted write spilled", parallel: true, prepare: spillNewest,
			request: request{Op: write, Path: "metadata/" + a, Data: data{"max_versions": 4}}},
		{name: "update a secret whose max_versions was lowered", parallel: true, request: request{Op: write, Path: "secrets/" + a, Data: data{"value": "next"}},
			prepare: lowered("A")},
		{name: "update a secret with a spilled version whose max_versions was lowered", parallel: true, prepare: lowered("B"),
			request: request{Op: write, Path: "secrets/acme/api/dev/B", Data: data{"value": "next"}}},
		{name: "purge a secret", parallel: true, request: request{Op: destroy, Path: "metadata/" + a}},
		{name: "purge a secret with spilled versions", parallel: true, request: request{Op: destroy, Path: "metadata/acme/api/dev/B"}},
		{name: "purge a secret with values that an interrupted write spilled", parallel: true, request: request{Op: destroy, Path: "metadata/" + a}, prepare: spillNewest},
		{name: "write a purged secret again", request: request{Op: write, Path: "secrets/" + a, Data: data{"value": "back"}},
			prepare: func(m *mount) { m.Delete("metadata/"+a, nil) }},
		{name: "import over a purged secret", parallel: true, request: request{Op: write, Path: "import/acme/api/dev", Data: data{"secrets": data{"A": "back"}}},
			prepare: func(m *mount) { m.Delete("metadata/"+a, nil) }},
		{name: "revert to a change", parallel: true, prepare: changed,
			request: request{Op: write, Path: "revert/acme/api/dev", Data: data{"change": "the change"}}},
		{name: "raise min_decryption_version", request: request{Op: write, Path: "keys/acme", Data: data{"min_decryption_version": 2}},
			prepare: rotated},
		{name: "trim keys", request: request{Op: write, Path: "keys/acme/trim"},
			prepare: func(m *mount) { rotated(m); m.Write("keys/acme", data{"min_decryption_version": 2}) }},
		{name: "lock a workspace", request: request{Op: write, Path: "workspaces/acme/lock"}},
		{name: "unlock a workspace", request: request{Op: write, Path: "workspaces/acme/unlock"},
			prepare: func(m *mount) { m.Write("workspaces/acme/lock", nil) }},
		{name: "unlock a workspace with an unfinished rewrap", parallel: true, request: request{Op: write, Path: "workspaces/acme/unlock"}, prepare: lockedAmidRewrap},
	}
}

// spillNewest leaves versions 4 and 5 of A under ver/ after an interrupted write. Version 5 is the
// newest.
func spillNewest(m *mount) {
	m.Write("secrets/acme/api/dev/A", data{"value": large})
	m.Storage.FailFrom(3, false) // calls 1 and 2 spill, call 3 puts the head
	if _, err := m.Do(request{Op: write, Path: "secrets/acme/api/dev/A", Data: data{"value": "never"}}); err == nil {
		panic("the write must fail")
	}
	m.Storage.Reset()
}

// onlyNewest destroys all versions of a secret but the newest, version 4.
func onlyNewest(name string) func(m *mount) {
	return func(m *mount) { m.Write("destroy/acme/api/dev/"+name, data{"versions": "2,3"}) }
}

// lowered leaves a secret with two destroyed versions and one value beyond its max_versions.
func lowered(name string) func(m *mount) {
	return func(m *mount) {
		onlyNewest(name)(m)
		m.Write("metadata/acme/api/dev/"+name, data{"max_versions": 1})
	}
}

// changed makes a change with the id "the change", and other changes after it.
func changed(m *mount) {
	m.Clock.Advance(time.Minute)
	if _, err := m.Do(request{Op: write, Path: "import/acme/api/dev", ID: "the change", Data: data{"secrets": data{"A": "changed", "NEW": "new"}}}); err != nil {
		panic(err)
	}
	m.Clock.Advance(time.Minute)
	m.Write("secrets/acme/api/dev/A", data{"value": "later"})
	m.Write("secrets/acme/api/dev/AFTER", data{"value": "after"})
	m.Delete("secrets/acme/api/dev/B", nil)
}

func rotated(m *mount) {
	m.Write("keys/acme/rotate", nil)
	m.Settle()
}

// lockedAmidRewrap locks acme while a rewrap has not yet rewrapped anything.
func lockedAmidRewrap(m *mount) {
	m.Storage.FailFrom(3, false) // a rotation takes two calls
	if _, err := m.Do(request{Op: write, Path: "keys/acme/rotate", ID: "rotation"}); err != nil {
		panic(err)
	}
	m.Settle()
	m.Storage.Reset()
	m.Write("workspaces/acme/lock", nil)
}
