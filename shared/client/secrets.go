package client

import (
	"context"
	"net/url"
)

// Place is an environment: where secrets are.
type Place struct{ Workspace, Project, Environment string }

// SecretInput is a version to write.
type SecretInput struct {
	Value      string
	Encoding   string // text or base64; text when empty
	References bool
	Comment    string
	Tags       []string // nil leaves those that the secret has
	// CAS is the number that the newest version must have, 0 for a secret that must not exist; nil writes in any case.
	CAS *int64
}

// Version is a version of a secret, without its value.
type Version struct {
	Name         string   `json:"name"`
	Version      int64    `json:"version"`
	State        string   `json:"state"` // live, deleted, destroyed or damaged; only in Metadata
	Encoding     string   `json:"encoding"`
	Comment      string   `json:"comment"`
	CreatedTime  string   `json:"created_time"`
	DeletionTime string   `json:"deletion_time"`
	Size         int64    `json:"size"`
	Tags         []string `json:"tags"`
}

// Live reports whether the secret has a value to deliver.
func (v Version) Live() bool { return v.State == "live" }

// Secret is a version with its value.
type Secret struct {
	Version
	Value      string `json:"value"`
	References bool   `json:"references"`
}

// Secret reads the newest version of a secret. A deleted one is NotFound.
func (c *Client) Secret(ctx context.Context, at Place, name string) (*Secret, error) {
	var answer Secret
	if err := c.get(ctx, at.below("secrets", name), nil, &answer); err != nil {
		return nil, err
	}
	return &answer, nil
}

// PutSecret writes a version.
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
	var answer Version
	if err := c.put(ctx, at.below("secrets", name), body, &answer); err != nil {
		return nil, err
	}
	return &answer, nil
}

// DeleteSecret marks the newest version as deleted; it can be taken back.
func (c *Client) DeleteSecret(ctx context.Context, at Place, name string) error {
	return c.remove(ctx, at.below("secrets", name), nil)
}

// PurgeSecret removes a secret with all its versions, for ever.
func (c *Client) PurgeSecret(ctx context.Context, at Place, name string) error {
	return c.remove(ctx, at.below("metadata", name), nil)
}

// Metadata answers what is known of every secret of an environment, by name, in one request.
func (c *Client) Metadata(ctx context.Context, at Place) (map[string]Version, error) {
	var answer struct {
		Secrets map[string]Version `json:"secrets"`
	}
	if err := c.get(ctx, at.below("metadata"), nil, &answer); err != nil {
		return nil, err
	}
	for name, version := range answer.Secrets {
		version.Name = name
		answer.Secrets[name] = version
	}
	return answer.Secrets, nil
}

// SecretMetadata answers what is known of one secret.
func (c *Client) SecretMetadata(ctx context.Context, at Place, name string) (*Version, error) {
	var answer Version
	if err := c.get(ctx, at.below("metadata", name), nil, &answer); err != nil {
		return nil, err
	}
	return &answer, nil
}

// SetTags changes the labels of a secret and writes no version.
func (c *Client) SetTags(ctx context.Context, at Place, name string, tags []string) error {
	return c.put(ctx, at.below("metadata", name), fields{"tags": append([]string{}, tags...)}, nil)
}

// Load answers the names and values of a whole environment; include and exclude are patterns of names.
func (c *Client) Load(ctx context.Context, at Place, include, exclude []string) (map[string]string, error) {
	query := url.Values{}
	if len(include) > 0 {
		query["include"] = include
	}
	if len(exclude) > 0 {
		query["exclude"] = exclude
	}
	answer := map[string]string{}
	if err := c.get(ctx, at.below("load"), query, &answer); err != nil {
		return nil, err
	}
	return answer, nil
}

// Imported tells what an import did, by names.
type Imported struct {
	Created   []string `json:"created"`
	Updated   []string `json:"updated"`
	Unchanged []string `json:"unchanged"`
	Deleted   []string `json:"deleted"`
}

// ImportInput is many secrets to write.
type ImportInput struct {
	Values  map[string]string
	Comment string
	// CAS are the numbers that newest versions must have, 0 for a secret that must not exist. Names that it leaves out are written in
	// any case.
	CAS map[string]int64
	// DryRun returns what the import would do, and writes nothing.
	DryRun bool
}

// Import writes many secrets, all or nothing, and leaves those it does not name. A secret that has its value already gets no new
// version.
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
	var answer Imported
	if err := c.put(ctx, at.below("import"), body, &answer); err != nil {
		return nil, err
	}
	return &answer, nil
}

func (p Place) below(category string, more ...string) string {
	return below(append([]string{category, p.Workspace, p.Project, p.Environment}, more...)...)
}
