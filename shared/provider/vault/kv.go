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
		Help: "Secrets of a KV engine, version 1 or 2. In granularity `key` each is a KV secret `<path>/<NAME>` with the one field `value`; in `bundle` all are fields of the " +
			"KV secret `<path>`, and fields of others stay. A deleted secret is removed with all its versions; a deleted field stays readable in older versions of its KV secret.",
		Fields: []provider.Field{
			{
				Name: fieldMount, Required: true, Fixed: true, Example: "secret", Check: checkPath,
				Help: "Path of the KV engine's mount. A mount of another type is refused.",
			},
			{
				Name: fieldPath, Required: true, Fixed: true, Example: "acme/api/production", Check: checkPath,
				Help: "Path within the mount, without `data/`. The folder of the KV secrets in granularity `key`, the KV secret in `bundle`.",
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

func trim(path string) string { return strings.Trim(path, "/") }

func checkPath(value any) error {
	path, _ := value.(string)
	if trim(path) == "" {
		return errors.New("must name at least one segment: acme/api")
	}
	return checkSegments(trim(path))
}

// checkSegments refuses what Vault refuses in paths, and what it would take for another path than it looks like.
func checkSegments(path string) error {
	if len(path) > maxPath {
		return fmt.Errorf("must be %d bytes at the most", maxPath)
	}
	for segment := range strings.SplitSeq(path, "/") {
		switch {
		case segment == "":
			return errors.New("must not have an empty segment: acme/api, not acme//api")
		case segment == "." || strings.Contains(segment, ".."):
			return errors.New("must not have `.` or `..` in place of a segment, nor `..` within one")
		case strings.TrimSpace(segment) != segment || strings.ContainsFunc(segment, func(r rune) bool { return !unicode.IsPrint(r) }):
			return errors.New("must not have control characters, nor spaces at the ends of a segment")
		}
	}
	return nil
}

// keeper is a way in which entries are kept at a place.
type keeper interface {
	list(ctx context.Context) ([]provider.Entry, error)
	look(ctx context.Context, names []string) ([]provider.Entry, error)
	read(ctx context.Context, names []string) ([]provider.Value, error)
	// apply fills in the results, and answers what kept it from those that it left empty.
	apply(ctx context.Context, changes []provider.Change, results []provider.Result) error
}

// engine is a KV engine. Paths are those of KV secrets, without data/ and metadata/.
type engine interface {
	// entries lists the secrets in a folder, without those in deeper ones, sorted.
	entries(ctx context.Context, folder string) ([]provider.Entry, error)
	// stats answers those of the secrets named in a folder that exist, in the order of the names.
	stats(ctx context.Context, folder string, names []string) ([]provider.Entry, error)
	// stat answers the state of a secret.
	stat(ctx context.Context, path string) (state, error)
	// read answers the fields of a secret: nil where it does not exist.
	read(ctx context.Context, path string) (fields, state, error)
	// write puts a secret in place of one whose state was `at`. It is an error of class Conflict where the engine compares and the state is another.
	write(ctx context.Context, path string, f fields, at state) (state, error)
	// remove ends a secret and its versions.
	remove(ctx context.Context, path string) error
	// compares reports whether write does.
	compares() bool
}

// place is where entries are kept, as the mount there tells of itself.
type place struct {
	*client
	mount, path string
	granularity provider.Granularity
	versioned   bool // version 2
}

// find opens a place.
func find(ctx context.Context, s *provider.Session, at provider.Place) (keeper, error) {
	p, err := locate(ctx, s, at)
	if err != nil {
		return nil, err
	}
	return p.keeper(), nil
}

func (p *place) keeper() keeper {
	var e engine = kv1{p.client, escape(p.mount)}
	if p.versioned {
		e = kv2{p.client, escape(p.mount)}
	}
	if p.granularity == provider.Bundle {
		return bundle{e, p.path}
	}
	return keys{e, p.path}
}

// locate asks a mount which engine it is.
func locate(ctx context.Context, s *provider.Session, at provider.Place) (*place, error) {
	const looking = "look at the mount"
	for _, field := range []string{fieldMount, fieldPath} {
		if err := checkPath(at.Settings.Text(field)); err != nil {
			return nil, refusal(outbound.Invalid, looking, field+" "+err.Error())
		}
	}
	c, err := open(s)
	if err != nil {
		return nil, err
	}
	mount, path := trim(at.Settings.Text(fieldMount)), trim(at.Settings.Text(fieldPath))
	var told struct {
		Path    string            `json:"path"`
		Type    string            `json:"type"`
		Options map[string]string `json:"options"`
	}
	if _, err := c.get(ctx, operation{looking, "anything below the mount"}, "sys/internal/ui/mounts/"+escape(mount), &told); err != nil {
		return nil, c.unseen(ctx, err)
	}
	switch {
	case told.Path == "" || told.Type == "":
		return nil, c.strange(looking, false, nil)
	case trim(told.Path) != mount:
		return nil, refusal(outbound.Invalid, looking, "mount names a path within a mount: move the rest of it to `path`")
	case told.Type != "kv":
		return nil, refusal(outbound.Invalid, looking, "the mount is not of type kv: name one that is, or make one with `vault secrets enable -version=2 -path=<mount> kv`")
	}
	return &place{c, mount, path, at.Granularity, told.Options["version"] == "2"}, nil
}

// unseen explains that a mount was not shown. Vault answers the same for one that does not exist and one that the token has no right
// to, and older ones the same for a bad token, which looking it up tells.
func (c *client) unseen(ctx context.Context, err error) error {
	class := outbound.ClassOf(err)
	if class != outbound.NotFound && class != outbound.Permission {
		return err
	}
	var told lookedUp
	if lookUp := c.lookUp(ctx, &told); outbound.ClassOf(lookUp) == outbound.Auth {
		return lookUp
	}
	return refusal(outbound.NotFound, "look at the mount",
		"there is no such mount in this Vault and namespace, or the token's policies allow nothing below it: `vault secrets list` shows the mounts")
}
