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
		fieldTags:               wordsField("Labels of the secret: at most 16, of 64 bytes. Not encrypted by the workspace's keys."),
		fieldCustomMetadata:     object("Names and values of your own: at most 64, of 128 and 512 bytes. A patch changes single ones, and null removes one. Not encrypted by the workspace's keys."),
		fieldMaxVersions:        intField("How many versions of this secret are kept, 1 to 100; 0: as the workspace says. A lower number prunes at once."),
		fieldCASRequired:        boolField("Whether every write of this secret must carry `cas`; true in the workspace holds for all its secrets."),
		fieldDeleteVersionAfter: {Type: framework.TypeSignedDurationSecond, Description: "How long after it was written a version of this secret is deleted, up to 3650 days; 0: as the workspace says, -1s: never. Answered in seconds."},
	}
}

// historyResponse declares what is answered of a secret's history.
func historyResponse() map[int][]framework.Response {
	all := metadataFields()
	all[fieldName] = stringField("Name of the secret.")
	all["state"] = stringField("live, deleted or destroyed: that of the newest version.")
	all[fieldVersion] = intField("Number of the newest version.")
	all["deletion_time"] = stringField("When the newest version was or will be deleted, RFC 3339; else empty.")
	all["oldest_version"] = intField("Number of the oldest version kept.")
	all[fieldVersions] = object("By number: created_time, created_by, comment, encoding, size, deletion_time, destroyed, and deleted_by where somebody has deleted it.")
	return response("The history of the secret.", all)
}

func (b *Backend) metadataPaths() []*framework.Path {
	return []*framework.Path{
		{
			Pattern:         "metadata" + inEnvironment,
			DisplayAttrs:    display(),
			Fields:          pathFields(3, listFields()),
			HelpSynopsis:    "What is known of every secret of an environment, without values.",
			HelpDescription: metadataHelp,
			Operations: operations{
				logical.ReadOperation: operation(b.handle(readAllMetadata), "Read the metadata of every secret.", "read", "environment-metadata",
					response("The metadata of every secret.", fields{
						"secrets": object("By name: state (live, deleted, destroyed or damaged), version, created_time, created_by, comment, encoding, size, deletion_time, destroyed, tags, custom_metadata."),
						"next":    stringField("Give this as `after` for the next page; only with `limit`, where more follow."),
					}, "next")),
			},
		},
		{
			Pattern:         "metadata" + inSecret,
			DisplayAttrs:    display(),
			Fields:          pathFields(4, metadataFields()),
			HelpSynopsis:    "The history of a secret, what it carries beside its versions, and removing it.",
			HelpDescription: metadataHelp,
			Operations: operations{
				logical.ReadOperation:   operation(b.handle(readMetadata), "Read the history of a secret.", "read", "metadata", historyResponse()),
				logical.UpdateOperation: changing(operation(b.handle(writeMetadata), "Change the fields given, keep the others.", "write", "metadata", historyResponse())),
				logical.PatchOperation:  changing(operation(b.handle(writeMetadata), "Change the fields given; null resets one.", "patch", "metadata", historyResponse())),
				logical.DeleteOperation: changing(operation(b.handle(deleteMetadata), "Remove a secret with all its versions.", "delete", "metadata",
					response("What was removed.", fields{
						fieldName:    stringField("Name of the secret."),
						fieldVersion: intField("Number its versions had reached; should it come back, they go on from there."),
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
			return answer(map[string]any{"secrets": byName, "next": last})
		}
		byName[m.Name], last = describeMetadata(c, m), m.Name
	}
	return answer(map[string]any{"secrets": byName})
}

func describeMetadata(c *call, m secrets.Metadata) map[string]any {
	newest, ok := m.Newest()
	if !ok {
		return summary(c, m)
	}
	data := describeVersion(m.Name, newest, m.Tags)
	delete(data, fieldName)
	data["state"] = summary(c, m)["state"]
	data[fieldCustomMetadata] = stringMap(m.Custom)
	return data
}

func readMetadata(ctx context.Context, c *call) (*logical.Response, error) {
	m, err := c.Secrets.MetadataOf(ctx, c.request(), c.path, c.name)
	if err != nil {
		return nil, err
	}
	return answer(describeHistory(c, m))
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
	return answer(describeHistory(c, m))
}

func deleteMetadata(ctx context.Context, c *call) (*logical.Response, error) {
	m, err := c.Secrets.Purge(ctx, c.request(), c.path, c.name)
	if err != nil {
		return nil, err
	}
	newest, _ := m.Newest()
	return answer(map[string]any{fieldName: m.Name, fieldVersion: int64(newest.Number)})
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

// describeOneOf describes a version among its like: without what is the secret's.
func describeOneOf(m secrets.Metadata, v store.Version) map[string]any {
	one := describeVersion(m.Name, v, nil)
	delete(one, fieldName)
	delete(one, fieldTags)
	delete(one, fieldVersion)
	if v.DeletedID != "" {
		one["deleted_by"] = describeActor(v.DeletedBy)
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
Names, versions, times, tags, custom metadata and who wrote what. No value is opened to answer it, and the answer for an
environment is complete in one request. A secret whose stored entry is damaged is listed as such and hides no other.

    $ vault read stashbase/metadata/acme/api/development
    $ vault read stashbase/metadata/acme/api/development/DATABASE_URL
    $ vault write stashbase/metadata/acme/api/development/DATABASE_URL max_versions=3 delete_version_after=720h
    $ vault patch stashbase/metadata/acme/api/development/DATABASE_URL - <<< '{"custom_metadata": {"owner": "payments"}}'
    $ vault delete stashbase/metadata/acme/api/development/DATABASE_URL

A delete removes the secret with all its versions, for ever. Should the name come back, its versions go on from the number they
had reached.
`
