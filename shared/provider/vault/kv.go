package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

// The destination and its settings.
const (
	destinationKV = "vault-kv"
	fieldMount    = "mount"
	fieldPath     = "path"
)

func destination() provider.Destination {
	return provider.Destination{
		Name:  destinationKV,
		Title: "Vault KV",
		Help: "Secrets of a KV engine, version 1 or 2. In granularity `key`, each secret is a KV secret `<path>/<NAME>` with the field `value`; if others have added fields to it, it is a " +
			"conflict. In `bundle`, all secrets are fields of the KV secret `<path>`, and fields of others are kept. A KV secret is deleted with all its versions. A deleted field stays " +
			"readable in older versions of its KV secret.",
		Fields: []provider.Field{
			{
				Name: fieldMount, Required: true, Fixed: true, Example: "secret", Check: checkPath, Normal: trim,
				Help: "Path of the KV engine's mount. A mount of another type is rejected.",
			},
			{
				Name: fieldPath, Required: true, Fixed: true, Example: "acme/api/production", Check: checkPath, Normal: trim,
				Help: "Path within the mount, without `data/`. In granularity `key` it is the folder of the KV secrets, in `bundle` the KV secret.",
			},
		},
		Granularities: []provider.Granularity{provider.Key, provider.Bundle},
		ReadBack:      provider.ReadBackValue,
		Compares:      true,
		Looks:         true,
		Checks:        true,
		Limits: provider.Limits{
			MaxValueBytes: maxEntry, MaxNameBytes: maxName, Name: legalName, NameRule: nameRule, TextOnly: true,
		},
		Batch:  batch,
		Target: target,
		Object: object,
	}
}

func target(integration, destination provider.Values) provider.Target {
	host, err := provider.CanonicalURL(integration.Text(fieldAddress))
	if err != nil {
		host = integration.Text(fieldAddress)
	}
	if namespace := integration.Text(fieldNamespace); namespace != "" {
		host += " " + namespace
	}
	return provider.Target{Host: host, Path: trim(destination.Text(fieldMount)) + "/" + trim(destination.Text(fieldPath))}
}

// object returns the KV secrets that a sync writes. One write replaces a KV secret with all its
// fields.
func object(at provider.Target, g provider.Granularity) provider.ServiceObject {
	return provider.ServiceObject{Path: at.Path, PerEntry: g == provider.Key}
}

func trim(path string) string { return strings.Trim(path, "/") }

func checkPath(value any) error {
	path, _ := value.(string)
	if trim(path) == "" {
		return errors.New("must have at least one segment, such as acme/api")
	}
	return checkSegments(trim(path))
}

// checkSegments rejects paths that Vault rejects, and paths that Vault reads differently than they
// look.
func checkSegments(path string) error {
	if len(path) > maxPath {
		return fmt.Errorf("must be at most %d bytes", maxPath)
	}
	for segment := range strings.SplitSeq(path, "/") {
		switch {
		case segment == "":
			return errors.New("must not have an empty segment: use acme/api, not acme//api")
		case segment == "." || strings.Contains(segment, ".."):
			return errors.New("must not have the segments `.` and `..`, nor `..` within a segment")
		case strings.TrimSpace(segment) != segment || strings.ContainsFunc(segment, func(r rune) bool { return !unicode.IsPrint(r) }):
			return errors.New("must not have control characters, nor spaces at the start or end of a segment")
		}
	}
	return nil
}

// store is a form in which entries are stored at a place: as KV secrets or as fields of one.
type store interface {
	list(ctx context.Context) ([]provider.Entry, error)
	look(ctx context.Context, names []string) ([]provider.Entry, error)
	read(ctx context.Context, names []string) ([]provider.Value, error)
	// apply makes the changes and fills in their results. If it returns an error, the empty results
	// are those of the changes that the error prevented.
	apply(ctx context.Context, changes []provider.Change, results []provider.Result) error
}

// engine is a KV engine. Paths are paths of KV secrets without data/ and metadata/.
type engine interface {
	// entries returns the secrets in a folder, sorted. It leaves out subfolders.
	entries(ctx context.Context, folder string) ([]provider.Entry, error)
	// stats returns the named secrets of a folder that exist, in the order of names.
	stats(ctx context.Context, folder string, names []string) ([]provider.Entry, error)
	// stat returns the state of a secret.
	stat(ctx context.Context, path string) (state, error)
	// read returns the fields of a secret, or nil if it does not exist.
	read(ctx context.Context, path string) (fields, state, error)
	// write replaces a secret whose state was expected. If the engine compares and the state is
	// another one, the error has the class Conflict.
	write(ctx context.Context, path string, f fields, expected state) (state, error)
	// remove deletes a secret with all its versions.
	remove(ctx context.Context, path string) error
	// compares reports whether write compares the state.
	compares() bool
}

// mount is a KV mount as Vault describes it, with the path of a place in it.
type mount struct {
	*client
	name, path  string
	granularity provider.Granularity
	versioned   bool // version 2
}

// openStore returns the store of a place.
func openStore(ctx context.Context, s *provider.Session, place provider.Place) (store, error) {
	m, err := openMount(ctx, s, place)
	if err != nil {
		return nil, err
	}
	return m.store(), nil
}

func (m *mount) store() store {
	var e engine = kv1{m.client, escape(m.name)}
	if m.versioned {
		e = kv2{m.client, escape(m.name)}
	}
	if m.granularity == provider.Bundle {
		return bundle{e, m.path}
	}
	return keys{e, m.path}
}

// openMount looks up the mount of a place and its type.
func openMount(ctx context.Context, s *provider.Session, place provider.Place) (*mount, error) {
	const op = "look up the mount"
	for _, field := range []string{fieldMount, fieldPath} {
		if err := checkPath(place.Settings.Text(field)); err != nil {
			return nil, refusal(outbound.Invalid, op, field+" "+err.Error())
		}
	}
	c, err := open(s)
	if err != nil {
		return nil, err
	}
	name, path := trim(place.Settings.Text(fieldMount)), trim(place.Settings.Text(fieldPath))
	var body struct {
		Path    string            `json:"path"`
		Type    string            `json:"type"`
		Options map[string]string `json:"options"`
	}
	if _, err := c.get(ctx, operation{op, "anything below the mount"}, "sys/internal/ui/mounts/"+escape(name), &body); err != nil {
		return nil, c.explainHidden(ctx, err)
	}
	switch {
	case body.Path == "" || body.Type == "":
		return nil, c.unexpected(op, false, nil)
	case trim(body.Path) != name:
		return nil, refusal(outbound.Invalid, op, "mount is a path within a mount: move the rest of it to `path`")
	case body.Type != "kv":
		return nil, refusal(outbound.Invalid, op, "the mount is not of type kv: set mount to a KV engine, or enable one with `vault secrets enable -version=2 -path=<mount> kv`")
	}
	return &mount{c, name, path, place.Granularity, body.Options["version"] == "2"}, nil
}

// explainHidden explains why Vault does not show a mount. Vault sends the same error for a mount
// that does not exist and for a mount that the token has no access to. Versions before 1.12 also
// send it for an invalid token, which looking up the token detects.
func (c *client) explainHidden(ctx context.Context, err error) error {
	class := outbound.ClassOf(err)
	if class != outbound.NotFound && class != outbound.Permission {
		return err
	}
	var token tokenInfo
	if tokenErr := c.lookUp(ctx, &token); outbound.ClassOf(tokenErr) == outbound.Auth {
		return tokenErr
	}
	return refusal(outbound.NotFound, "look up the mount",
		"the mount does not exist in this Vault and namespace, or the token's policies allow nothing below it: list the mounts with `vault secrets list`")
}
