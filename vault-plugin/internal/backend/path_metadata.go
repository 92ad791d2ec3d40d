package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/secrets"
)

func (b *Backend) metadataPaths() []*framework.Path {
	return []*framework.Path{
		{
			Pattern:         "metadata" + inEnvironment,
			DisplayAttrs:    display(),
			Fields:          pathFields(3),
			HelpSynopsis:    "What is known of every secret of an environment, without values.",
			HelpDescription: metadataHelp,
			Operations: operations{
				logical.ReadOperation: operation(b.handle(readAllMetadata), "Read the metadata of every secret.", "read", "environment-metadata",
					response("The metadata of every secret.", fields{
						"secrets": object("By name: state (live, deleted or damaged), version, created_time, created_by, comment, encoding, size, deletion_time, tags."),
					})),
			},
		},
		{
			Pattern:         "metadata" + inSecret,
			DisplayAttrs:    display(),
			Fields:          pathFields(4),
			HelpSynopsis:    "The history of a secret, without values.",
			HelpDescription: metadataHelp,
			Operations: operations{
				logical.ReadOperation: operation(b.handle(readMetadata), "Read the history of a secret.", "read", "metadata",
					response("The history of the secret.", fields{
						fieldName:        stringField("Name of the secret."),
						"state":          stringField("live or deleted."),
						fieldTags:        list("Labels of the secret."),
						fieldVersion:     intField("Number of the newest version."),
						"oldest_version": intField("Number of the oldest version kept."),
						fieldVersions:    object("By number: created_time, created_by, comment, encoding, size, deletion_time."),
					})),
			},
		},
	}
}

func readAllMetadata(ctx context.Context, c *call) (*logical.Response, error) {
	all, err := c.secrets.Metadata(ctx, c.scope(), c.workspace, c.project, c.environment)
	if err != nil {
		return nil, err
	}
	byName := make(map[string]any, len(all))
	for _, m := range all {
		byName[m.Name] = describeMetadata(m)
	}
	return answer(map[string]any{"secrets": byName})
}

func describeMetadata(m secrets.Metadata) map[string]any {
	newest, ok := m.Newest()
	if !ok {
		return summary(m)
	}
	data := describeVersion(m.Name, newest, m.Tags)
	delete(data, fieldName)
	data["state"] = summary(m)["state"]
	return data
}

func readMetadata(ctx context.Context, c *call) (*logical.Response, error) {
	m, err := c.secrets.MetadataOf(ctx, c.scope(), c.workspace, c.project, c.environment, c.name)
	if err != nil {
		return nil, err
	}
	versions := make(map[string]any, len(m.Versions))
	for _, v := range m.Versions {
		one := describeVersion(m.Name, v, nil)
		delete(one, fieldName)
		delete(one, fieldTags)
		delete(one, fieldVersion)
		versions[versionNumber(v.Number)] = one
	}
	newest, _ := m.Newest()
	return answer(map[string]any{
		fieldName: m.Name, "state": summary(m)["state"], fieldTags: append([]string{}, m.Tags...),
		fieldVersion: int64(newest.Number), "oldest_version": int64(m.Versions[0].Number), fieldVersions: versions,
	})
}

const metadataHelp = `
Names, versions, times, tags and who wrote what. No value is opened to answer it, and the answer for an environment is complete
in one request. A secret whose stored entry is damaged is listed as such and hides no other.

    $ vault read stashbase/metadata/acme/api/development
    $ vault read stashbase/metadata/acme/api/development/DATABASE_URL
`
