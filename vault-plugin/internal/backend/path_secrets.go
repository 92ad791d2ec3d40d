package backend

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/charset"
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
	fieldCreatedBy  = "created_by"
)

const secretInfo = "By name: state (live, deleted, destroyed or damaged), version, updated_time."

func secretFields() fields {
	return fields{
		fieldValue:      {Type: framework.TypeString, Description: "Value of the secret, a JSON string. With encoding=base64, the value in base64; white space around it is ignored.", DisplayAttrs: &framework.DisplayAttributes{Sensitive: true}},
		fieldEncoding:   {Type: framework.TypeString, Description: "Encoding of the value in requests and responses.", Default: "text", AllowedValues: []any{"text", "base64"}},
		fieldComment:    stringField("Reason for this version, at most 512 bytes. Not encrypted by the workspace's keys."),
		fieldTags:       {Type: framework.TypeCommaStringSlice, Description: "Labels of the secret: at most 16, each at most 64 bytes. If absent, the labels stay unchanged. Not encrypted by the workspace's keys."},
		fieldCAS:        intField("Write only if the newest version has this number; 0 means only if the secret does not exist."),
		fieldReferences: boolField("Whether ${NAME}, ${environment/NAME} and ${project/environment/NAME} in the value are replaced by the values of other secrets; \\${ escapes them. If absent, the setting stays unchanged; a new secret has false, and its value is delivered unchanged."),
		fieldVersion:    query(intField("Only for a read: number of the version. If absent or 0, the newest version is returned.")),
		fieldVersions:   query(versionsField("Only for a delete: numbers of the versions to delete. If absent, the newest version is deleted.")),
	}
}

// versionResult returns the fields that describe one version in a response.
func versionResult() fields {
	return fields{
		fieldName:       stringField("Name of the secret."),
		fieldVersion:    intField("Number of the version."),
		fieldCreated:    timeField("When the version was written."),
		fieldCreatedBy:  stringField("Display name of the token that wrote the version. The metadata of the secret also have the entity and a hash of the accessor."),
		fieldComment:    stringField("Reason for the version."),
		fieldEncoding:   stringField("Encoding of the value: text or base64."),
		"size":          intField("Size of the value in bytes."),
		"deletion_time": stringField("When the version was or will be deleted, RFC 3339. Empty if never."),
		"destroyed":     boolField("Whether the value was permanently removed."),
		fieldTags:       list("Labels of the secret."),
	}
}

func (b *Backend) secretPaths() []*framework.Path {
	read := versionResult()
	read[fieldValue] = stringField("The value.")
	read[fieldReferences] = boolField("Whether references in the value are replaced when it is delivered.")
	fieldsWritten := versionResult()
	fieldsWritten[fieldReferences] = read[fieldReferences]
	written := response("The version that was written.", fieldsWritten)
	return []*framework.Path{
		{
			Pattern:         "secrets" + inEnvironment + "/?",
			DisplayAttrs:    display(),
			Fields:          pathFields(3, listFields()),
			HelpSynopsis:    "List the secrets of an environment.",
			HelpDescription: secretHelp,
			Operations: operations{
				logical.ListOperation: operation(b.handle(listing(secretItems)), "List the secrets of an environment.", "list", "secrets",
					listResponse("The secrets, including soft-deleted ones.", secretInfo)),
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
				logical.ReadOperation:   operation(b.handle(readSecret), "Read the newest version, or the version with the given number.", "read", "secret", response("One version of the secret.", read)),
				logical.CreateOperation: changing(operation(b.handle(writeSecret), "Write the first version.", "create", "secret", written)),
				logical.UpdateOperation: changing(operation(b.handle(writeSecret), "Write a new version.", "write", "secret", written)),
				logical.PatchOperation:  changing(operation(b.handle(patchSecret), "Write a new version that differs from the newest only in the given fields.", "patch", "secret", written)),
				logical.DeleteOperation: deleting(operation(b.handle(deleteSecret), "Soft-delete the newest version, or the versions with the given numbers.", "delete", "secret", historyResponse())),
			},
		},
	}
}

func secretItems(ctx context.Context, c *call) ([]item, error) {
	all, err := c.Secrets.Metadata(ctx, c.request(), c.path)
	if err != nil {
		return nil, err
	}
	items := make([]item, len(all))
	for i, m := range all {
		items[i] = item{m.Name, summary(c, m)}
	}
	return items, nil
}

// summary returns the details of a secret that a list shows.
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
		// As in KV v2: a deleted version has status 404, but the response contains its metadata.
		return logical.RespondWithStatusCode(&logical.Response{Data: data}, c.req, http.StatusNotFound)
	}
	data[fieldValue], data[fieldReferences] = encode(s.Value, s.Version.Encoding), s.Version.References
	return respond(data)
}

func writeSecret(ctx context.Context, c *call) (*logical.Response, error) {
	in, err := secretInput(c)
	if err != nil {
		return nil, err
	}
	defer clear(in.Value)
	w, err := c.Secrets.Write(ctx, c.request(), c.path, c.name, in)
	if err != nil {
		return nil, err
	}
	return respondWritten(c, w, in)
}

// respondWritten returns the version that was written, and warnings about what is unusual about it.
func respondWritten(c *call, w secrets.Written, in secrets.Input) (*logical.Response, error) {
	data := describeVersion(c.name, w.Version, w.Tags)
	data[fieldReferences] = w.Version.References
	resp := &logical.Response{Data: data}
	if in.Value != nil && in.Encoding == store.Text {
		if remark := charset.Remark(in.Value); remark != "" {
			resp.AddWarning(fmt.Sprintf("%s: %s", fieldValue, remark))
		}
	}
	warnOfNames(c, resp, []string{c.name}, keepsOthers)
	return resp, nil
}

func secretInput(c *call) (secrets.Input, error) {
	in := secrets.Input{Comment: c.text(fieldComment)}
	present, _ := c.given(fieldValue)
	if !present && c.req.Operation != logical.PatchOperation {
		return in, fault.New(fault.Invalid, "%s: is required; to store an empty value, give the empty string", fieldValue)
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
		return in, fault.New(fault.Invalid, "%s: cannot be true with encoding=base64; use encoding=text", fieldReferences)
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
	raw, err := base64.StdEncoding.Strict().DecodeString(charset.Trim(value))
	if err != nil {
		return nil, fault.New(fault.Invalid, "%s: must be base64 (RFC 4648, with padding), because encoding=base64 is given", fieldValue)
	}
	return raw, nil
}

// encode returns a value as a string for JSON, and clears the value.
func encode(value []byte, as store.Encoding) string {
	defer clear(value)
	if as == store.Base64 {
		return base64.StdEncoding.EncodeToString(value)
	}
	return string(value)
}

func patchSecret(ctx context.Context, c *call) (*logical.Response, error) {
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
	return respondWritten(c, w, in)
}

func deleteSecret(ctx context.Context, c *call) (*logical.Response, error) {
	versions, err := c.versions(false)
	if err != nil {
		return nil, err
	}
	m, err := c.Secrets.Delete(ctx, c.request(), c.path, c.name, versions)
	if err != nil {
		return nil, err
	}
	return respond(describeHistory(c, m))
}

func describeVersion(name string, v store.Version, tags []string) map[string]any {
	return map[string]any{
		fieldName: name, fieldVersion: int64(v.Number), fieldCreated: stamp(v.Created), fieldCreatedBy: v.By.DisplayName,
		fieldComment: v.Comment, fieldEncoding: encodingName(v.Encoding), "size": v.Size, "deletion_time": deletionTime(v), "destroyed": v.Destroyed, fieldTags: append([]string{}, tags...),
	}
}

func encodingName(e store.Encoding) string {
	if e == store.Base64 {
		return "base64"
	}
	return "text"
}

func deletionTime(v store.Version) string {
	if v.Deleted.IsZero() {
		return ""
	}
	return stamp(v.Deleted)
}

// addActor adds an actor under a field: its display name, and under the field's name with a suffix
// its entity and the hash of its token's accessor.
func addActor(to map[string]any, field string, a store.Actor) {
	to[field], to[field+"_entity_id"], to[field+"_accessor_sha256"] = a.DisplayName, a.EntityID, a.AccessorHash
}

func versionNumber(n uint64) string { return strconv.FormatUint(n, 10) }

const secretHelp = `
A secret has a name, such as DATABASE_URL, and versions. Every write creates a new version, and the
newest max_versions versions are kept: a write beyond them removes the oldest version. A delete marks
the newest version as deleted. A read of a deleted version returns status 404 with the version's
metadata. The next write continues with the next number. An older version is read by its number.

    $ vault write stashbase/secrets/acme/api/development/DATABASE_URL value=@database-url
    $ vault write stashbase/secrets/acme/api/development/DATABASE_URL value=... cas=1 comment="moved to the new cluster"
    $ vault read stashbase/secrets/acme/api/development/DATABASE_URL
    $ vault read stashbase/secrets/acme/api/development/DATABASE_URL version=1
    $ vault list stashbase/secrets/acme/api/development
    $ vault patch stashbase/secrets/acme/api/development/DATABASE_URL tags=database
    $ vault delete stashbase/secrets/acme/api/development/DATABASE_URL
    $ vault delete stashbase/secrets/acme/api/development/DATABASE_URL versions=1,2

A patch writes a new version that differs from the newest only in the given fields. undelete/ restores
deleted versions. destroy/ permanently removes the values of versions, and a delete of metadata/
removes the whole secret. With references=true, references in the value are replaced when it is
delivered:

    $ vault write stashbase/secrets/acme/api/development/DSN references=true value='postgres://${USER}:${shared/common/DB_PASSWORD}@db'

A later write that does not mention references or tags keeps them. comment and encoding belong to each
write.

Values are JSON strings and are stored unchanged. Write binary values with encoding=base64. A text
value must be UTF-8: the CLI puts U+FFFD in place of other bytes, so a value with U+FFFD is refused. A
value that ends in a line end, as echo writes it, gets a warning. So do names that clients of Vault
misread: metadata, and the pairs rotation_period and ttl, certificate and expiration, secret_id and
secret_id_ttl.
`
