package backend

import (
	"context"

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
			fieldSecrets: {Type: framework.TypeMap, Description: "Names and values, all JSON strings. Give this or `content`.", DisplayAttrs: &framework.DisplayAttributes{Sensitive: true}},
			fieldContent: {Type: framework.TypeString, Description: "A document with names and values, in `format`. Give this or `secrets`.", DisplayAttrs: &framework.DisplayAttributes{Sensitive: true}},
			fieldFormat:  {Type: framework.TypeString, Description: "Format of `content`.", Default: "dotenv", AllowedValues: []any{"dotenv", "json", "yaml"}},
			fieldMode:    {Type: framework.TypeString, Description: "merge keeps secrets the import does not name; replace soft-deletes them.", Default: "merge", AllowedValues: []any{"merge", "replace"}},
			fieldComment: stringField("Why the versions are written, at most 512 bytes. Not encrypted by the workspace's keys."),
			fieldDryRun:  boolField("Answer what the import would do, and do nothing."),
			fieldCAS: {Type: framework.TypeMap, Description: "Names, and the number of the version each must be at, 0 where the secret must not exist. " +
				"Where cas_required holds, every secret that gets a new version must be named."},
		}),
		HelpSynopsis:    "Write many secrets of an environment at once.",
		HelpDescription: importHelp,
		Operations: operations{
			logical.UpdateOperation: changing(operation(b.handle(importSecrets), "Write many secrets, all or nothing.", "import", "secrets",
				importedResponse())),
		},
	}}
}

// importedResponse declares what a write of many secrets answers.
func importedResponse() map[int][]framework.Response {
	return response("What was done, by names.", fields{
		"created":   list("Secrets that are new."),
		"updated":   list("Secrets that have a new version."),
		"unchanged": list("Secrets that had the value already."),
		"deleted":   list("Secrets that were soft-deleted."),
		fieldDryRun: boolField("Whether nothing was done."),
	})
}

func answerImported(done secrets.Imported, dryRun bool) (*logical.Response, error) {
	return answer(map[string]any{
		"created": append([]string{}, done.Created...), "updated": append([]string{}, done.Updated...),
		"unchanged": append([]string{}, done.Unchanged...), "deleted": append([]string{}, done.Deleted...),
		fieldDryRun: dryRun,
	})
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
	return answerImported(done, in.DryRun)
}

func importInput(c *call) (secrets.Import, error) {
	in := secrets.Import{Comment: c.text(fieldComment), DryRun: c.flag(fieldDryRun)}
	if err := secrets.CheckComment(in.Comment); err != nil {
		return in, err
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
		return in, fault.New(fault.Invalid, "%s: goes with the secrets it is about: give %s or %s", fieldCAS, fieldSecrets, fieldContent)
	}
	if in.Values, err = importValues(c); err != nil {
		return in, err
	}
	for name := range in.CAS { // nothing would hold what is not written
		if _, written := in.Values[name]; !written {
			return in, fault.New(fault.Invalid, "%s: names a secret that the import does not write", fieldCAS)
		}
	}
	return in, nil
}

// importCAS reads which versions the caller holds secrets to.
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
		return nil, fault.New(fault.Invalid, "%s: must be an object of names and version numbers, such as {\"NAME\": 3}", fieldCAS)
	}
	return cas, nil
}

func importValues(c *call) (map[string][]byte, error) {
	asMap, _ := c.given(fieldSecrets)
	asText, _ := c.given(fieldContent)
	if asMap == asText {
		return nil, fault.New(fault.Invalid, "%s: give either this or %s", fieldSecrets, fieldContent)
	}
	if asText {
		return documentValues(c)
	}
	raw, _ := c.data.Get(fieldSecrets).(map[string]any)
	if len(raw) > document.MaxNames {
		return nil, fault.New(fault.Limit, "%s: has %d names; one import takes at most %d", fieldSecrets, len(raw), document.MaxNames)
	}
	values := make(map[string][]byte, len(raw))
	for name, value := range raw {
		// The name is not told: whoever swaps names and values must not find a value in the error.
		if err := naming.CheckSecret(fieldSecrets, name); err != nil {
			return nil, err
		}
		text, _ := value.(string)
		values[name] = []byte(text)
	}
	return values, nil
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
All or nothing: a reader sees every secret of the import or none, and so does the next start after a crash. A secret that has the
value already gets no new version. With mode=replace, live secrets that the import does not name are soft-deleted.

    $ vault write stashbase/import/acme/api/development content=@.env
    $ vault write stashbase/import/acme/api/development mode=replace dry_run=true content=@.env
    $ vault write stashbase/import/acme/api/development - < secrets.json      # {"secrets": {"NAME": "value"}}

    $ vault write stashbase/import/acme/api/development format=yaml content=@secrets.yaml

Where cas_required holds, or to be sure that nobody else has written meanwhile, name the version each secret must be at:

    $ vault write stashbase/import/acme/api/development - <<< '{"secrets": {"NAME": "next"}, "cas": {"NAME": 1}}'

One import takes at most 5,000 secrets. In a dotenv document nothing is expanded: a '$' is a '$'. Vault itself takes a request of at most 32 MiB, and a JSON string of at
most 1 MiB: a larger document goes as secrets={...}.
`
