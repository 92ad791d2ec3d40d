package backend

import (
	"strings"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

const integrationHelp = `
An integration is a credential for one account at one provider, and what it may be used for. It is written once and never answered
again: it is sealed under a key of its own, for whom it may be sent to, and opened for the moment of a call.

What it may carry, and where to, is said by allowed_environments and allowed_targets. Both default to none, and are looked at again
at every use.
`

const verifyHelp = `
It asks the provider who the credential is, what rights it has and when it ends, and says what it lacks: for any use, and for each of
the syncs that use it, as far as the provider tells without a change (of 20 of them at the most). It answers within 10 seconds;
a failure is an error that begins with provider: and the class of the failure (auth, permission, network, ...), and says what to do.

Nothing is changed at the provider.
`

// providerHelp derives from the declaration, the examples too.
func providerHelp(d provider.Declaration) string {
	path := integrationFamily + "/acme/" + d.Name + "/main"
	var b strings.Builder
	b.WriteString("\n" + d.Help + "\n")
	for _, kind := range d.Auth {
		b.WriteString("\n    $ vault write stashbase/" + path)
		if kind.Name != d.Auth[0].Name {
			b.WriteString(" " + fieldAuth + "=" + kind.Name)
		}
		for _, f := range d.Fields {
			if f.Required {
				b.WriteString(" " + f.Name + "=" + example(f))
			}
		}
		for _, f := range kind.Fields {
			if f.Required || f.Secret {
				b.WriteString(" " + f.Name + "=" + example(f))
			}
		}
		b.WriteString(" allowed_environments='api/*' allowed_targets='*'\n")
	}
	b.WriteString("    $ vault write -force stashbase/" + path + "/verify\n")
	b.WriteString(`
A credential supplied again makes the next generation, together with the settings in the same write or not at all. It can be read only
under the settings that it was supplied with as far as they decide where it is sent to: after a change of one of those it is unreadable
until it is supplied again, so nobody can have it sent to a place of theirs who cannot supply it. A write that supplies one secret field keeps
the others, unless such a setting changes with it.

An integration that syncs use is not deleted.
`)
	return b.String()
}

func example(f provider.Field) string {
	switch {
	case f.Secret:
		return "@" + strings.ReplaceAll(f.Name, "_", "-")
	case f.Example != "":
		return f.Example
	default:
		return "..."
	}
}
