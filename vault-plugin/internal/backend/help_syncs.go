package backend

import (
	"strings"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

const syncHelp = `
A sync makes one destination equal to one environment, for the entries it owns, and tells how that went. It runs by itself when the environment
delivers something else.

It changes and deletes only what it has written itself, or was told to take over by name. What somebody else has written is a conflict, and stays.
`

const planHelp = `
It asks the destination what is there, and tells what a run would do. It changes nothing. Where blocked is not empty, a run would do nothing at
all: a limit of the destination would be broken, two secrets would have one name, or filters choose nothing.

A read is about the sync as it is. A write with fields of a definition is about the sync as that write would leave it, whether it exists or
not, and is refused as the write would be; nothing is stored.
`

const runHelp = `
The sync runs in the background; with wait it is waited for, 10 seconds at the most, and goes on after that. A run looks at the destination whatever
there seems to be to do: what was removed there is written again.
`

const statusHelp = `
A status never claims more than is known: after a change the state is PENDING until the change has arrived. A sync that is RETRYING comes right by
itself once the destination does; one that is FAILED, BLOCKED, CONFLICT or PARTIAL needs a person, and next_actions says where to begin.
It is looked at again now and then all the same.
`

const adoptHelp = `
An entry that the sync has not written is never changed, unless on_conflict says so. Named here, it is the sync's own from the next run on: its value
is written over where it is another one, and it is deleted once its secret is. A status says which entries are in conflict.
`

const pauseHelp = `
A paused sync changes nothing at its destination. Changes that are being made at that moment come to their end. Resumed, it brings the destination to
where the environment is then.
`

const workspaceStatusHelp = `
It answers from memory how every sync and integration of a workspace stands: those first that do not come right by themselves.
`

// destinationHelp derives from the declaration, the example too.
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
The integration is one of provider ` + p.Name + `, and has to allow the environment and the target. A second sync of the workspace to the same target is
refused when both could write an entry of the same name.

A sync cannot be led to another target while it owns entries: delete it with purge=true to remove them, or with purge=false to leave them, and
create another.
`)
	if d.ReadBack != provider.ReadBackValue {
		b.WriteString(`
The destination does not tell values. So an entry that was being created when the engine was cut off, and is there, cannot be told from one of
somebody else's: it is a conflict until it is adopted.
`)
	}
	return b.String()
}
