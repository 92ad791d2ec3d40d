package backend

import (
	"context"
	"maps"
	"slices"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/document"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/intake"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/secrets"
)

const (
	fieldSecrets = "secrets"
	fieldContent = "content"
	fieldFormat  = "format"
	fieldMode    = "mode"
	fieldDryRun  = "dry_run"
)

func (b *Backend) importPaths() []*framework.Path {
	return []*framework.Path{{
		Pattern:      "import" + inEnvironment,
		DisplayAttrs: display(),
		Fields: pathFields(3, fields{
			fieldSecrets:    {Type: framework.TypeMap, Description: "Secrets to write: names and values, all of them JSON strings. Give either this or `content`.", DisplayAttrs: &framework.DisplayAttributes{Sensitive: true}},
			fieldContent:    {Type: framework.TypeString, Description: "Document of names and values, in the format `format`. Give either this or `secrets`.", DisplayAttrs: &framework.DisplayAttributes{Sensitive: true}},
			fieldFormat:     {Type: framework.TypeString, Description: "Format of `content`. If absent, content that begins with a bracket is json, and other content is dotenv.", AllowedValues: []any{"dotenv", "json", "yaml"}},
			fieldMode:       {Type: framework.TypeString, Description: "What to do with live secrets that the import does not name. `merge` keeps them; `replace` soft-deletes them. See `confirm`.", Default: "merge", AllowedValues: []any{"merge", "replace"}},
			fieldComment:    stringField("Reason for the import, at most 512 bytes. Stored with the new versions. Not encrypted by the workspace's keys."),
			fieldDryRun:     boolField("Return what the import would do, without changing anything."),
			fieldConfirm:    stringField("Name of the environment, to confirm the deletions of mode=replace. Required if the import deletes all live secrets, or more than half of more than 10, or any secret of an environment with production=true."),
			fieldReferences: boolField("Whether references in the values are replaced when they are delivered, for every secret of the import. If absent, each secret keeps its setting, and a new secret has false."),
			fieldCAS: {Type: framework.TypeMap, Description: "Names of secrets and the version number that each must have, or 0 if the secret must not exist. " +
				"With cas_required, every secret that gets a new version must be listed."},
		}),
		HelpSynopsis:    "Write many secrets of an environment in one request.",
		HelpDescription: importHelp,
		Operations: operations{
			logical.UpdateOperation: changing(operation(b.handle(importSecrets), "Write many secrets: all of them or none.", "import", "secrets",
				importedResponse())),
		},
	}}
}

// importedResponse declares the response of a write of many secrets.
func importedResponse() map[int][]framework.Response {
	return response("Names of the secrets, by what was done.", fields{
		"created":   list("Secrets that were created."),
		"updated":   list("Secrets that got a new version."),
		"unchanged": list("Secrets that already had the value."),
		"deleted":   list("Secrets that were soft-deleted."),
		fieldDryRun: boolField("Whether this was a dry run, which changes nothing."),
	})
}

func respondImported(done secrets.Imported, dryRun bool) (*logical.Response, error) {
	return respond(map[string]any{
		"created": append([]string{}, done.Created...), "updated": append([]string{}, done.Updated...),
		"unchanged": append([]string{}, done.Unchanged...), "deleted": append([]string{}, done.Deleted...),
		fieldDryRun: dryRun,
	})
}

// warnOfImport adds warnings about what is unusual about the secrets that an import writes.
func warnOfImport(c *call, resp *logical.Response, in secrets.Import, done secrets.Imported) {
	written := slices.Concat(done.Created, done.Updated)
	rest := keepsOthers
	if in.Replace {
		rest = deletesOthers
	}
	warnOfNames(c, resp, append(written, done.Unchanged...), rest)
	values := maps.Clone(in.Values)
	maps.DeleteFunc(values, func(name string, _ []byte) bool { return slices.Contains(done.Unchanged, name) })
	warnOfValues(resp, fieldSecrets, values)
}

func importSecrets(ctx context.Context, c *call) (*logical.Response, error) {
	in, err := importInput(c)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, value := range in.Values {
			clear(value)
		}
	}()
	done, err := c.Secrets.Import(ctx, c.request(), c.path, in)
	if err != nil {
		return nil, err
	}
	resp, err := respondImported(done, in.DryRun)
	if err == nil {
		warnOfImport(c, resp, in, done)
	}
	return resp, err
}

func importInput(c *call) (secrets.Import, error) {
	in := secrets.Import{
		Comment: c.text(fieldComment), DryRun: c.flag(fieldDryRun), Confirm: c.text(fieldConfirm), References: given[bool](c, fieldReferences),
	}
	if err := secrets.CheckComment(in.Comment); err != nil {
		return in, err
	}
	if in.Confirm != "" && in.Confirm != c.path.Environment {
		return in, fault.New(fault.Invalid, "%s: must be the name of the environment, %s", fieldConfirm, c.path.Environment)
	}
	switch c.text(fieldMode) {
	case "merge":
	case "replace":
		in.Replace = true
	default:
		return in, fault.New(fault.Invalid, "%s: must be merge or replace", fieldMode)
	}
	var err error
	if in.CAS, err = importCAS(c); err != nil {
		return in, err
	}
	asMap, _ := c.given(fieldSecrets)
	if asText, _ := c.given(fieldContent); in.CAS != nil && !asMap && !asText {
		return in, fault.New(fault.Invalid, "%s: requires the secrets that it refers to; give %s or %s", fieldCAS, fieldSecrets, fieldContent)
	}
	if in.Values, err = importValues(c); err != nil {
		return in, err
	}
	for _, name := range slices.Sorted(maps.Keys(in.CAS)) { // cas does not protect a secret that is not written
		if _, written := in.Values[name]; !written {
			which := "a secret"
			if intake.Printable(name) {
				which = "secret " + name
			}
			return in, fault.New(fault.Invalid, "%s: contains %s, which the import does not write; remove it from cas, or import it", fieldCAS, which)
		}
	}
	return in, nil
}

// importCAS returns the version that each secret must have, or nil if the request has no cas.
func importCAS(c *call) (map[string]*uint64, error) {
	present, null := c.given(fieldCAS)
	if !present {
		return nil, nil
	}
	raw, isObject := c.data.Get(fieldCAS).(map[string]any)
	cas := make(map[string]*uint64, len(raw))
	for name, value := range raw {
		n, ok := intake.Number(value)
		isObject = isObject && ok
		cas[name] = &n
	}
	if null || !isObject {
		return nil, fault.New(fault.Invalid, "%s: must be an object of secret names and version numbers, such as {\"NAME\": 3}", fieldCAS)
	}
	return cas, nil
}

func importValues(c *call) (map[string][]byte, error) {
	asMap, _ := c.given(fieldSecrets)
	asText, _ := c.given(fieldContent)
	if asMap == asText {
		return nil, fault.New(fault.Invalid, "%[1]s: give exactly one of %[1]s and %[2]s", fieldSecrets, fieldContent)
	}
	if asText {
		return documentValues(c)
	}
	raw, _ := c.data.Get(fieldSecrets).(map[string]any)
	if len(raw) > document.MaxNames {
		return nil, fault.New(fault.Limit, "%s: has %d names, but an import can have at most %d; split the import", fieldSecrets, len(raw), document.MaxNames)
	}
	if len(raw) == 0 && c.text(fieldMode) != "replace" {
		return nil, fault.New(fault.Invalid, "%s: holds no secret; give at least one name and value", fieldSecrets)
	}
	values := make(map[string][]byte, len(raw))
	for name, value := range raw {
		if err := checkImported(name); err != nil {
			return nil, err
		}
		text, _ := value.(string)
		values[name] = []byte(text)
	}
	return values, nil
}

// checkImported rejects an invalid name of a secret. The error contains the name only if the name
// cannot be a value: the caller may have swapped names and values.
func checkImported(name string) error {
	err := naming.CheckSecret(fieldSecrets, name)
	if err != nil && intake.Printable(name) {
		return fault.New(fault.Invalid, "%s: %q is not a valid secret name; it must be %s", fieldSecrets, name, naming.SecretRule)
	}
	return err
}

func documentValues(c *call) (map[string][]byte, error) {
	pairs, err := document.Parse(c.text(fieldFormat), c.text(fieldContent))
	if err != nil {
		return nil, err
	}
	values := make(map[string][]byte, len(pairs))
	for name, value := range pairs {
		values[name] = []byte(value)
	}
	return values, nil
}

const importHelp = `
An import writes all of its secrets or none, even if Vault stops during the import. A reader also sees
all of them or none. A secret that already has the value gets no new version. mode=replace
soft-deletes live secrets that the import does not name.

    $ vault write stashbase/import/acme/api/development content=@.env
    $ vault write stashbase/import/acme/api/development mode=replace dry_run=true content=@.env
    $ vault write stashbase/import/acme/api/development - < secrets.json      # {"secrets": {"NAME": "value"}}

    $ vault write stashbase/import/acme/api/development format=yaml content=@secrets.yaml

A document without secrets is refused. mode=replace must be confirmed with the name of the environment
if it deletes all live secrets, or more than half of more than 10, or any secret of an environment with
production=true:

    $ vault write stashbase/import/acme/api/development mode=replace confirm=development content=@.env

cas is the version that each secret must have. It is required with cas_required. It also prevents the
import from replacing a version that somebody else wrote in the meantime:

    $ vault write stashbase/import/acme/api/development - <<< '{"secrets": {"NAME": "next"}, "cas": {"NAME": 1}}'

Tags stay as they are. So does whether references in a value are replaced, unless the import sets
references=true or references=false for all of its secrets.

The response lists updated and unchanged secrets separately, also with dry_run. A caller can therefore find
out whether a secret has a given value. Allow this path only to callers who may load the environment.

An import can have at most 5,000 secrets. Variables in a dotenv document are not expanded: a '$' stays
a '$'. If lines of a dotenv document are not understood, the error lists up to 20 of them. Documents
are UTF-8; the CLI puts U+FFFD in place of other bytes, so a document with U+FFFD is refused. Vault
accepts at most 32 MiB in one request and 1 MiB in one JSON string. Send a larger document as
secrets={...}.
`
