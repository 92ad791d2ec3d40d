package backend

import (
	"strings"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

const integrationHelp = `
An integration holds a credential for one account at one provider, and limits its use. No request
returns the credential. The engine seals it under its own key and binds it to the endpoint to which it may
be sent. The credential is decrypted only during a call to the provider.

allowed_environments limits the secrets that the integration may send, and allowed_targets limits
where it may send them. Both are empty by default and allow nothing. The engine checks both at every
use.
`

const verifyHelp = `
Verify asks the provider for the credential's account, rights and expiry. It returns what the
credential lacks for any use, and for each of the first 20 syncs that use it. It finds only what the
provider reports without a change. It returns within 10 seconds. The error of a failure begins with
"provider:" and the class of the failure, such as auth, permission or network, and says what to do.

Verify changes nothing at the provider.
`

// providerHelp returns the help of a provider's paths. It derives from the declaration, including
// the examples.
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
A write with a new credential creates the next generation. The credential and the settings of one
write are stored together or not at all. If a setting that decides where the credential is sent
changes, the credential is unreadable until it is supplied again. A caller who does not know the
credential therefore cannot redirect it. A write with one secret field keeps the other secret fields,
unless it also changes such a setting.

An integration cannot be deleted while syncs use it.
`)
	return b.String()
}

// example returns the value of a field in an example command.
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
