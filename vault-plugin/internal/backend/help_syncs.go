package backend

import (
	"strings"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

const syncHelp = `
A sync copies the secrets of one environment to one destination and reports the result. It runs
automatically when the secrets of the environment change.

A sync changes and deletes only entries that it owns: entries that it wrote or adopted. Any other entry
with the name of a secret is a conflict, and on_conflict decides what happens to it.
`

const planHelp = `
A plan lists the entries at the destination and returns what a run would do. It changes nothing. If
blocked is not empty, a run would change nothing. Possible reasons are a limit of the destination, two
secrets with the same name at the destination, and filters that match no secret.

A read plans the stored sync. A write plans the sync as if the given fields had been written, even if
the sync does not exist yet. It fails wherever that write would fail, and it stores nothing.

With vault list -detailed, each entry of the plan is a line of a table.
`

const runHelp = `
The sync runs in the background. With wait, the request waits for the run, at most 10 seconds; the run
continues after that. Every run reads the destination, even if no secret has changed, and writes
entries again that were removed there.
`

const statusHelp = `
After a change of a secret, the state is PENDING until the destination has the change. RETRYING means
that the engine retries automatically until the destination works again. FAILED, BLOCKED, CONFLICT and
PARTIAL need a person; next_actions lists the first commands to try. The engine also rechecks these
syncs from time to time.

With vault list -detailed, each entry is a line of a table.
`

const adoptHelp = `
A sync does not change an entry that it did not write, unless on_conflict allows it. An adopted entry
belongs to the sync from the next run on. The sync then replaces a different value, and deletes the
entry when its secret is deleted. The status of the sync lists the entries in conflict.
`

const pauseHelp = `
A paused sync changes nothing at its destination. A change that is already in progress is completed.
After a resume, the sync writes the current secrets of the environment.
`

const workspaceStatusHelp = `
The state of every sync and integration of a workspace, from memory. Those that need a person come
first. With vault list -detailed, each is a line of a table, sorted by name.
`

// destinationHelp returns the help of a destination's paths. It derives from the declaration,
// including the example.
func destinationHelp(d provider.Destination, p provider.Declaration) string {
	path := syncFamily + "/acme/api/production/" + d.Name + "/main"
	var b strings.Builder
	b.WriteString("\n" + d.Help + "\n\n    $ vault write stashbase/" + path + " " + fieldIntegration + "=main")
	for _, f := range d.Fields {
		if f.Required {
			b.WriteString(" " + f.Name + "=" + example(f))
		}
	}
	b.WriteString("\n    $ vault read stashbase/" + path + "/status\n    $ vault delete stashbase/" + path + " " + fieldPurge + "=false\n")
	b.WriteString(`
The integration must be one of provider ` + p.Name + ` and must allow the environment and the target.
A second sync of the workspace is rejected if both could write an entry of the same name to the same
target, or if one could replace an object at the destination that the other one writes to.

The target of a sync cannot be changed while the sync owns entries. Delete the sync and create
another one. A delete with purge=true also deletes the entries; purge=false keeps them.
`)
	if d.ReadBack != provider.ReadBackValue {
		b.WriteString(`
The destination does not return values. If the engine stopped while it created an entry, it cannot
know whether it or something else wrote that entry. The entry is a conflict until it is adopted.
`)
	}
	return b.String()
}
