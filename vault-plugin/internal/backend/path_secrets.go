package backend

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/http"
	"strconv"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/secrets"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

const (
	fieldValue      = "value"
	fieldEncoding   = "encoding"
	fieldComment    = "comment"
	fieldTags       = "tags"
	fieldCAS        = "cas"
	fieldReferences = "references"
	fieldVersion    = "version"
)

func secretFields() fields {
	return fields{
		fieldValue:      {Type: framework.TypeString, Description: "The value, a JSON string; with encoding=base64, bytes in base64.", DisplayAttrs: &framework.DisplayAttributes{Sensitive: true}},
		fieldEncoding:   {Type: framework.TypeString, Description: "How the value is written and answered.", Default: "text", AllowedValues: []any{"text", "base64"}},
		fieldComment:    stringField("Why this version was written, at most 512 bytes. Not encrypted by the workspace's keys."),
		fieldTags:       {Type: framework.TypeCommaStringSlice, Description: "Labels of the secret: at most 16, of 64 bytes. Left out: those it has. Not encrypted by the workspace's keys."},
		fieldCAS:        intField("Write only if the newest version has this number; 0: only if the secret does not exist."),
		fieldReferences: boolField("Whether ${NAME}, ${environment/NAME} and ${project/environment/NAME} in the value stand for other secrets; \\${ is the text. Default false: the value is delivered as it is."),
		fieldVersion:    query(intField("For a read: the version to answer; left out or 0, the newest.")),
		fieldVersions:   query(versionsField("For a delete: the versions to mark; left out, the newest.")),
	}
}

// versionAnswer are the fields that describe one version wherever it is answered.
func versionAnswer() fields {
	return fields{
		fieldName:       stringField("Name of the secret."),
		fieldVersion:    intField("Number of the version."),
		fieldCreated:    timeField("When the version was written."),
		"created_by":    object("Who wrote it: entity_id, display_name, accessor_sha256."),
		fieldComment:    stringField("Why it was written."),
		fieldEncoding:   stringField("text or base64."),
		"size":          intField("Bytes of the value."),
		"deletion_time": stringField("When it was or will be deleted, RFC 3339; else empty."),
		"destroyed":     boolField("Whether the value is gone for ever."),
		fieldTags:       list("Labels of the secret."),
	}
}

func (b *Backend) secretPaths() []*framework.Path {
	read := versionAnswer()
	read[fieldValue] = stringField("The value.")
	read[fieldReferences] = boolField("Whether the value refers to other secrets.")
	written := response("The version that was written.", versionAnswer())
	return []*framework.Path{
		{
			Pattern:         "secrets" + inEnvironment + "/?",
			DisplayAttrs:    display(),
			Fields:          pathFields(3, listFields()),
			HelpSynopsis:    "List the secrets of an environment.",
			HelpDescription: secretHelp,
			Operations: operations{
				logical.ListOperation: operation(b.handle(listSecrets), "List the secrets of an environment.", "list", "secrets",
					listResponse("The secrets, soft-deleted ones included.", "By name: state (live, deleted or damaged), version, updated_time.")),
			},
		},
		{
			Pattern:         "secrets" + inSecret,
			DisplayAttrs:    display(),
			Fields:          pathFields(4, secretFields()),
			ExistenceCheck:  b.exists(func(c *call) bool { return c.Secrets.Exists(c.path, c.name) }),
			HelpSynopsis:    "Write, read or delete a secret.",
			HelpDescription: secretHelp,
			Operations: operations{
				logical.ReadOperation:   operation(b.handle(readSecret), "Read the newest version, or the one asked for.", "read", "secret", response("One version of the secret.", read)),
				logical.CreateOperation: changing(operation(b.handle(writeSecret), "Write the first version.", "create", "secret", written)),
				logical.UpdateOperation: changing(operation(b.handle(writeSecret), "Write a new version.", "write", "secret", written)),
				logical.PatchOperation:  changing(operation(b.handle(patchSecret), "Write a new version in which only the fields given differ.", "patch", "secret", written)),
				logical.DeleteOperation: changing(operation(b.handle(deleteSecret), "Mark the newest version, or those named, as deleted.", "delete", "secret", historyResponse())),
			},
		},
	}
}

func listSecrets(ctx context.Context, c *call) (*logical.Response, error) {
	all, err := c.Secrets.Metadata(ctx, c.request(), c.path)
	if err != nil {
		return nil, err
	}
	items := make([]item, len(all))
	for i, m := range all {
		items[i] = item{m.Name, summary(c, m)}
	}
	return answerList(c, items)
}

// summary tells of a secret what a list is read for.
func summary(c *call, m secrets.Metadata) map[string]any {
	newest, ok := m.Newest()
	if !ok {
		return map[string]any{"state": "damaged"}
	}
	state, updated := "live", newest.Created
	switch {
	case newest.Destroyed:
		state = "destroyed"
	case !newest.Live(c.now()):
		state, updated = "deleted", newest.Deleted
	}
	return map[string]any{"state": state, fieldVersion: int64(newest.Number), fieldUpdated: stamp(updated)}
}

func readSecret(ctx context.Context, c *call) (*logical.Response, error) {
	if err := refuseVersions(c); err != nil {
		return nil, err
	}
	version, err := c.number(fieldVersion)
	if err != nil {
		return nil, err
	}
	if version == nil {
		version = new(uint64)
	}
	s, err := c.Secrets.Read(ctx, c.request(), c.path, c.name, *version)
	if err != nil {
		return nil, err
	}
	data := describeVersion(s.Name, s.Version, s.Tags)
	if !s.Version.Live(c.now()) {
		// As KV v2 does: what is deleted is not found, but its metadata are answered.
		return logical.RespondWithStatusCode(&logical.Response{Data: data}, c.req, http.StatusNotFound)
	}
	data[fieldValue], data[fieldReferences] = encode(s.Value, s.Version.Encoding), s.Version.References
	return answer(data)
}

// refuseVersion keeps apart what a read may ask for and what only looks like it: a delete of version 1 would delete the newest.
func refuseVersion(c *call) error {
	if present, _ := c.given(fieldVersion); present {
		return fault.New(fault.Invalid, "%s: is for a read; a write makes the next version, a delete marks the newest", fieldVersion)
	}
	return nil
}

// refuseVersions refuses what only a delete takes: passed over, it would look as if the request had been about those versions.
func refuseVersions(c *call) error {
	if present, _ := c.given(fieldVersions); present {
		return fault.New(fault.Invalid, "%s: is for a delete; a read takes version, a write makes the next one", fieldVersions)
	}
	return nil
}

func writeSecret(ctx context.Context, c *call) (*logical.Response, error) {
	if err := cmp.Or(refuseVersion(c), refuseVersions(c)); err != nil {
		return nil, err
	}
	in, err := secretInput(c)
	if err != nil {
		return nil, err
	}
	defer clear(in.Value)
	w, err := c.Secrets.Write(ctx, c.request(), c.path, c.name, in)
	if err != nil {
		return nil, err
	}
	return answer(describeVersion(c.name, w.Version, w.Tags))
}

func secretInput(c *call) (secrets.Input, error) {
	in := secrets.Input{Comment: c.text(fieldComment)}
	present, _ := c.given(fieldValue)
	if !present && c.req.Operation != logical.PatchOperation {
		return in, fault.New(fault.Invalid, "%s: is required; the empty string is a value", fieldValue)
	}
	if present, _ := c.given(fieldReferences); present {
		references := c.flag(fieldReferences)
		in.References = &references
	}
	var err error
	if in.Encoding, err = secrets.EncodingOf(c.text(fieldEncoding)); err != nil {
		return in, err
	}
	if c.flag(fieldReferences) && in.Encoding != store.Text {
		return in, fault.New(fault.Invalid, "%s: only text can refer to other secrets, not encoding=base64", fieldReferences)
	}
	if present {
		if in.Value, err = decode(c.text(fieldValue), in.Encoding); err != nil {
			return in, err
		}
	}
	if in.CAS, err = c.number(fieldCAS); err != nil {
		return in, err
	}
	if present, _ := c.given(fieldTags); present {
		tags, _ := c.data.Get(fieldTags).([]string)
		in.Tags = &tags
	}
	return in, nil
}

func decode(value string, as store.Encoding) ([]byte, error) {
	if as == store.Text {
		return []byte(value), nil
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%s: is not base64 (RFC 4648, with padding), which encoding=base64 asks for", fieldValue)
	}
	return raw, nil
}

// encode makes a value fit for JSON, and clears it.
func encode(value []byte, as store.Encoding) string {
	defer clear(value)
	if as == store.Base64 {
		return base64.StdEncoding.EncodeToString(value)
	}
	return string(value)
}

func patchSecret(ctx context.Context, c *call) (*logical.Response, error) {
	if err := cmp.Or(refuseVersion(c), refuseVersions(c)); err != nil {
		return nil, err
	}
	if _, null := c.given(fieldValue); null {
		return nil, fault.New(fault.Invalid, "%s: cannot be null; leave it out to keep the value, or delete the secret", fieldValue)
	}
	in, err := secretInput(c)
	if err != nil {
		return nil, err
	}
	defer clear(in.Value)
	w, err := c.Secrets.Patch(ctx, c.request(), c.path, c.name, in)
	if err != nil {
		return nil, err
	}
	return answer(describeVersion(c.name, w.Version, w.Tags))
}

func deleteSecret(ctx context.Context, c *call) (*logical.Response, error) {
	if err := refuseVersion(c); err != nil {
		return nil, err
	}
	versions, err := c.versions(false)
	if err != nil {
		return nil, err
	}
	m, err := c.Secrets.Delete(ctx, c.request(), c.path, c.name, versions)
	if err != nil {
		return nil, err
	}
	return answer(describeHistory(c, m))
}

func describeVersion(name string, v store.Version, tags []string) map[string]any {
	encoding := "text"
	if v.Encoding == store.Base64 {
		encoding = "base64"
	}
	return map[string]any{
		fieldName: name, fieldVersion: int64(v.Number), fieldCreated: stamp(v.Created), "created_by": describeActor(v.By),
		fieldComment: v.Comment, fieldEncoding: encoding, "size": v.Size, "deletion_time": deletionTime(v), "destroyed": v.Destroyed, fieldTags: append([]string{}, tags...),
	}
}

func deletionTime(v store.Version) string {
	if v.Deleted.IsZero() {
		return ""
	}
	return stamp(v.Deleted)
}

func describeActor(a store.Actor) map[string]any {
	return map[string]any{"entity_id": a.EntityID, "display_name": a.DisplayName, "accessor_sha256": a.AccessorHash}
}

func versionNumber(n uint64) string { return strconv.FormatUint(n, 10) }

const secretHelp = `
A secret has a name, such as DATABASE_URL, and versions. Every write makes a new version; the newest max_versions are kept. A
delete marks the newest version: reading it then answers its metadata with status 404, and the next write goes on with the next
number. Older versions are read by number.

    $ vault write stashbase/secrets/acme/api/development/DATABASE_URL value=@database-url
    $ vault write stashbase/secrets/acme/api/development/DATABASE_URL value=... cas=1 comment="moved to the new cluster"
    $ vault read stashbase/secrets/acme/api/development/DATABASE_URL
    $ vault read stashbase/secrets/acme/api/development/DATABASE_URL version=1
    $ vault list stashbase/secrets/acme/api/development
    $ vault patch stashbase/secrets/acme/api/development/DATABASE_URL tags=database
    $ vault delete stashbase/secrets/acme/api/development/DATABASE_URL
    $ vault delete stashbase/secrets/acme/api/development/DATABASE_URL versions=1,2

A patch writes a new version in which only the fields given differ from the newest. Deleted versions come back with undelete/;
destroy/ removes their values for ever, and a delete of metadata/ the whole secret. With references=true, the value is put together when it is delivered:

    $ vault write stashbase/secrets/acme/api/development/DSN references=true value='postgres://${USER}:${shared/common/DB_PASSWORD}@db'

Values are JSON strings, kept byte for byte; bytes that are no text are written with encoding=base64.
`
