package backend

import (
	"context"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/secrets"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

const fieldCustomMetadata = "custom_metadata"

func metadataFields() fields {
	return fields{
		fieldTags:               wordsField("Labels of the secret: at most 16, each at most 64 bytes. Not encrypted by the workspace's keys."),
		fieldCustomMetadata:     object("Your own names and values: at most 64; names up to 128 bytes, values up to 512 bytes. A patch changes only the given names; null removes a name. Not encrypted by the workspace's keys."),
		fieldMaxVersions:        intField("Number of versions of this secret to keep, 1 to 100; 0 uses the workspace's value. A lower number is rejected while versions beyond it have values; destroy them first."),
		fieldCASRequired:        boolField("Whether every write of this secret must include `cas`. If true in the workspace, it applies to all secrets of the workspace."),
		fieldDeleteVersionAfter: {Type: framework.TypeSignedDurationSecond, Description: "Age at which a version of this secret is deleted, at most 3650 days. 0 uses the workspace's value; -1s means never. Returned in seconds."},
	}
}

// historyResponse declares the response with a secret's history.
func historyResponse() map[int][]framework.Response {
	all := metadataFields()
	all[fieldName] = stringField("Name of the secret.")
	all["state"] = stringField("State of the newest version: live, deleted or destroyed.")
	all[fieldVersion] = intField("Number of the newest version.")
	all["deletion_time"] = stringField("When the newest version was or will be deleted, RFC 3339. Empty if never.")
	all["oldest_version"] = intField("Number of the oldest version that is kept.")
	all[fieldVersions] = object("By number: created_time, created_by (a display name), created_by_entity_id, created_by_accessor_sha256, comment, encoding, size, deletion_time, destroyed. " +
		"A version that a request deleted also has deleted_by, deleted_by_entity_id and deleted_by_accessor_sha256.")
	return response("The history of the secret.", all)
}

func (b *Backend) metadataPaths() []*framework.Path {
	return []*framework.Path{
		{
			Pattern:         "metadata" + inEnvironment,
			DisplayAttrs:    display(),
			Fields:          pathFields(3, listFields()),
			HelpSynopsis:    "Read the metadata of all secrets of an environment, without values.",
			HelpDescription: metadataHelp,
			Operations: operations{
				logical.ReadOperation: operation(b.handle(readAllMetadata), "Read the metadata of all secrets.", "read", "environment-metadata",
					response("The metadata of the secrets.", fields{
						"secrets": object("By name: state (live, deleted, destroyed or damaged), version, created_time, created_by, encoding, size, deletion_time, destroyed, tags. The path of one secret also returns its comments and its custom_metadata."),
						"next":    stringField("Value of `after` that returns the next page. Absent on the last page and without `limit`."),
					}, "next")),
			},
		},
		{
			Pattern:         "metadata" + inSecret,
			DisplayAttrs:    display(),
			Fields:          pathFields(4, metadataFields()),
			HelpSynopsis:    "Read or change a secret's metadata, or remove the secret with all its versions.",
			HelpDescription: metadataHelp,
			Operations: operations{
				logical.ReadOperation:   operation(b.handle(readMetadata), "Read the history of a secret.", "read", "metadata", historyResponse()),
				logical.UpdateOperation: changing(operation(b.handle(writeMetadata), "Change the given fields and keep the others.", "write", "metadata", historyResponse())),
				logical.PatchOperation:  changing(operation(b.handle(writeMetadata), "Change the given fields; null resets a field.", "patch", "metadata", historyResponse())),
				logical.DeleteOperation: deleting(operation(b.handle(deleteMetadata), "Remove a secret with all its versions.", "delete", "metadata",
					response("What was removed.", fields{
						fieldName:    stringField("Name of the secret."),
						fieldVersion: intField("Number of its last version. If the name is used again, its versions continue after this number."),
					}))),
			},
		},
	}
}

func readAllMetadata(ctx context.Context, c *call) (*logical.Response, error) {
	all, err := c.Secrets.Metadata(ctx, c.request(), c.path)
	if err != nil {
		return nil, err
	}
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	after, byName := c.text(fieldAfter), make(map[string]any, len(all))
	last := ""
	for _, m := range all {
		switch {
		case m.Name <= after:
			continue
		case limit > 0 && len(byName) == limit:
			return respond(map[string]any{"secrets": byName, "next": last})
		}
		byName[m.Name], last = describeMetadata(c, m), m.Name
	}
	return respond(map[string]any{"secrets": byName})
}

// describeMetadata returns the metadata of one of many secrets. Comments and custom metadata are
// left out, because they could make the response many times as large as the names.
func describeMetadata(c *call, m secrets.Metadata) map[string]any {
	newest, ok := m.Newest()
	if !ok {
		return summary(c, m)
	}
	data := describeVersion(m.Name, newest, m.Tags)
	delete(data, fieldName)
	delete(data, fieldComment)
	data["state"] = summary(c, m)["state"]
	return data
}

func readMetadata(ctx context.Context, c *call) (*logical.Response, error) {
	m, err := c.Secrets.MetadataOf(ctx, c.request(), c.path, c.name)
	if err != nil {
		return nil, err
	}
	return respond(describeHistory(c, m))
}

func writeMetadata(ctx context.Context, c *call) (*logical.Response, error) {
	m, err := c.Secrets.Describe(ctx, c.request(), c.path, c.name, func(m *secrets.Metadata) {
		assign(c, fieldTags, &m.Tags, nil)
		assign(c, fieldMaxVersions, &m.Settings.MaxVersions, 0)
		assign(c, fieldCASRequired, &m.Settings.CASRequired, false)
		assignSeconds(c, fieldDeleteVersionAfter, &m.Settings.DeleteVersionAfter, 0)
		assignMetadata(c, fieldCustomMetadata, &m.Custom)
	})
	if err != nil {
		return nil, err
	}
	return respond(describeHistory(c, m))
}

func deleteMetadata(ctx context.Context, c *call) (*logical.Response, error) {
	m, err := c.Secrets.Purge(ctx, c.request(), c.path, c.name)
	if err != nil {
		return nil, err
	}
	newest, _ := m.Newest()
	return respond(map[string]any{fieldName: m.Name, fieldVersion: int64(newest.Number)})
}

func describeHistory(c *call, m secrets.Metadata) map[string]any {
	versions := make(map[string]any, len(m.Versions))
	for _, v := range m.Versions {
		versions[versionNumber(v.Number)] = describeOneOf(m, v)
	}
	newest, _ := m.Newest()
	return map[string]any{
		fieldName: m.Name, "state": summary(c, m)["state"], fieldTags: append([]string{}, m.Tags...), fieldCustomMetadata: stringMap(m.Custom),
		fieldMaxVersions: m.Settings.MaxVersions, fieldCASRequired: m.Settings.CASRequired,
		fieldDeleteVersionAfter: int(m.Settings.DeleteVersionAfter / time.Second),
		"deletion_time":         deletionTime(newest),
		fieldVersion:            int64(newest.Number), "oldest_version": int64(m.Versions[0].Number), fieldVersions: versions,
	}
}

// describeOneOf describes one version of a history, without the fields that belong to the secret.
func describeOneOf(m secrets.Metadata, v store.Version) map[string]any {
	one := describeVersion(m.Name, v, nil)
	delete(one, fieldName)
	delete(one, fieldTags)
	delete(one, fieldVersion)
	addActor(one, fieldCreatedBy, v.By)
	if v.DeletedID != "" {
		addActor(one, "deleted_by", v.DeletedBy)
	}
	return one
}

func stringMap(m map[string]string) map[string]any {
	all := make(map[string]any, len(m))
	for k, v := range m {
		all[k] = v
	}
	return all
}

const metadataHelp = `
Metadata are the names, versions, times, tags, custom metadata, comments and authors of secrets. No
value is decrypted. One request returns the metadata of a whole environment, without comments and
custom metadata. A secret whose stored entry is damaged is listed as damaged, and the other secrets
are listed as usual.

    $ vault read stashbase/metadata/acme/api/development
    $ vault read stashbase/metadata/acme/api/development/DATABASE_URL
    $ vault write stashbase/metadata/acme/api/development/DATABASE_URL max_versions=3 delete_version_after=720h
    $ vault patch stashbase/metadata/acme/api/development/DATABASE_URL - <<< '{"custom_metadata": {"owner": "payments"}}'
    $ vault delete stashbase/metadata/acme/api/development/DATABASE_URL

A setting removes no version. A lower max_versions is rejected while the secret has more versions that
are not destroyed, and the error contains the command that destroys them.

A delete permanently removes the secret with all its versions. If the name is used again, the version
numbers continue.
`
