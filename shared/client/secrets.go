package client

import (
	"context"
	"net/url"
)

// Place is the path of an environment.
type Place struct{ Workspace, Project, Environment string }

// SecretInput is a new version of a secret.
type SecretInput struct {
	Value      string
	Encoding   string // of Value: text or base64; empty for text
	References bool
	Comment    string
	Tags       []string // nil keeps the tags that the secret has
	// CAS is the number that the newest version must have, or 0 for a secret that must not exist.
	// Nil writes without a check.
	CAS *int64
}

// Version is the metadata of one version of a secret.
type Version struct {
	Name         string   `json:"name"`
	Version      int64    `json:"version"`
	State        string   `json:"state"` // live, deleted, destroyed or damaged; only in Metadata and SecretMetadata
	Encoding     string   `json:"encoding"`
	Comment      string   `json:"comment"`       // not in Metadata
	CreatedTime  string   `json:"created_time"`  // RFC 3339, UTC
	DeletionTime string   `json:"deletion_time"` // RFC 3339, UTC; empty for never
	Size         int64    `json:"size"`          // of the value in bytes
	Tags         []string `json:"tags"`
}

// Live reports whether the version has a value that is delivered.
func (v Version) Live() bool { return v.State == "live" }

// Secret is a version with its value.
type Secret struct {
	Version
	Value      string `json:"value"`
	References bool   `json:"references"`
}

// Secret returns the newest version of a secret with its value. It fails with NotFound when that
// version is deleted.
func (c *Client) Secret(ctx context.Context, at Place, name string) (*Secret, error) {
	var result Secret
	if err := c.get(ctx, at.below("secrets", name), nil, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// PutSecret writes a new version of a secret and returns its metadata. It fails with Conflict when
// CAS does not hold.
func (c *Client) PutSecret(ctx context.Context, at Place, name string, in SecretInput) (*Version, error) {
	body := fields{"value": in.Value, "references": in.References}
	if in.Encoding != "" {
		body["encoding"] = in.Encoding
	}
	if in.Comment != "" {
		body["comment"] = in.Comment
	}
	if in.Tags != nil {
		body["tags"] = in.Tags
	}
	if in.CAS != nil {
		body["cas"] = *in.CAS
	}
	var result Version
	if err := c.put(ctx, at.below("secrets", name), body, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// DeleteSecret marks the newest version of a secret as deleted. That can be undone.
func (c *Client) DeleteSecret(ctx context.Context, at Place, name string) error {
	return c.remove(ctx, at.below("secrets", name), nil)
}

// PurgeSecret removes a secret with all its versions. That cannot be undone.
func (c *Client) PurgeSecret(ctx context.Context, at Place, name string) error {
	return c.remove(ctx, at.below("metadata", name), nil)
}

// Metadata returns the newest version of every secret of an environment by name. It makes one
// request.
func (c *Client) Metadata(ctx context.Context, at Place) (map[string]Version, error) {
	var result struct {
		Secrets map[string]Version `json:"secrets"`
	}
	if err := c.get(ctx, at.below("metadata"), nil, &result); err != nil {
		return nil, err
	}
	for name, version := range result.Secrets {
		version.Name = name
		result.Secrets[name] = version
	}
	return result.Secrets, nil
}

// SecretMetadata returns the newest version of a secret, without the value.
func (c *Client) SecretMetadata(ctx context.Context, at Place, name string) (*Version, error) {
	var secret struct {
		Version
		Versions map[int64]Version `json:"versions"` // without what belongs to the secret
	}
	if err := c.get(ctx, at.below("metadata", name), nil, &secret); err != nil {
		return nil, err
	}
	result := secret.Versions[secret.Version.Version]
	result.Name, result.Version, result.State, result.Tags = secret.Name, secret.Version.Version, secret.State, secret.Tags
	result.DeletionTime = secret.DeletionTime
	return &result, nil
}

// SetTags replaces the tags of a secret. It writes no version.
func (c *Client) SetTags(ctx context.Context, at Place, name string, tags []string) error {
	return c.put(ctx, at.below("metadata", name), fields{"tags": append([]string{}, tags...)}, nil)
}

// Load returns the values of a whole environment by name. include and exclude are patterns of
// names; an empty include means all names.
func (c *Client) Load(ctx context.Context, at Place, include, exclude []string) (map[string]string, error) {
	query := url.Values{}
	if len(include) > 0 {
		query["include"] = include
	}
	if len(exclude) > 0 {
		query["exclude"] = exclude
	}
	result := map[string]string{}
	if err := c.get(ctx, at.below("load"), query, &result); err != nil {
		return nil, err
	}
	return result, nil
}

// Imported holds the names of secrets by what an import did with them.
type Imported struct {
	Created   []string `json:"created"`
	Updated   []string `json:"updated"`
	Unchanged []string `json:"unchanged"`
	Deleted   []string `json:"deleted"`
}

// ImportInput holds the secrets that an import writes.
type ImportInput struct {
	Values  map[string]string
	Comment string
	// CAS holds the number that the newest version of a secret must have, or 0 for a secret that
	// must not exist. A secret that is not in the map is written without a check.
	CAS map[string]int64
	// DryRun makes Import return what it would do and write nothing.
	DryRun bool
}

// Import writes all given secrets or none. It keeps the other secrets of the environment, and
// writes no version of a secret that already has the value.
func (c *Client) Import(ctx context.Context, at Place, in ImportInput) (*Imported, error) {
	body := fields{"secrets": in.Values, "mode": "merge"}
	if in.Comment != "" {
		body["comment"] = in.Comment
	}
	if len(in.CAS) > 0 {
		body["cas"] = in.CAS
	}
	if in.DryRun {
		body["dry_run"] = true
	}
	var result Imported
	if err := c.put(ctx, at.below("import"), body, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

func (p Place) below(category string, more ...string) string {
	return below(append([]string{category, p.Workspace, p.Project, p.Environment}, more...)...)
}
