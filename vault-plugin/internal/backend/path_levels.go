package backend

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// level is a kind of names that a list returns: the names that the next segment of a path can have.
type level struct {
	plural string // in help
	in     string // pattern from the category to the name
	parent string // pattern from the category to the list
	info   string // what key_info has
	items  lister
}

func levels() []level {
	return []level{
		{"workspaces", inWorkspace, "", workspaceInfo, workspaceItems},
		{"projects", inProject, inWorkspace, projectInfo, projectItems},
		{"environments", inEnvironment, inProject, environmentInfo, environmentItems},
		{"secrets", inSecret, inEnvironment, secretInfo, secretItems},
	}
}

// levelPaths returns the lists that complete the given paths: Vault's command line completes a path
// by a list of each of its levels, so every level can be listed. The lists derive from the patterns,
// so a new category has them without a declaration.
func (b *Backend) levelPaths(all []*framework.Path) []*framework.Path {
	listed := make(map[string]bool)
	for _, p := range all {
		if p.Operations[logical.ListOperation] != nil {
			listed[strings.TrimRight(p.Pattern, "/?")] = true
		}
	}
	var paths []*framework.Path
	for _, category := range categoriesOf(all) {
		for depth, l := range levels() {
			below, folder := beneath(all, category.name+l.in)
			if !below || listed[category.name+l.parent] {
				continue
			}
			listed[category.name+l.parent] = true
			paths = append(paths, &framework.Path{
				Pattern:         category.name + l.parent + "/",
				DisplayAttrs:    display(),
				Fields:          pathFields(depth, listFields()),
				HelpSynopsis:    fmt.Sprintf("List the %s that can follow in a path of %s.", l.plural, category.name),
				HelpDescription: category.first.HelpDescription,
				Operations: operations{
					logical.ListOperation: operation(b.handle(l.list(category.name, folder)), "List the "+l.plural+".", "list", category.name+"-"+l.plural,
						listResponse("The "+l.plural+namedAs(folder), l.info)),
				},
			})
		}
	}
	return append(paths, b.destinationLevels()...)
}

func namedAs(folder bool) string {
	if folder {
		return ", each with a slash at its end."
	}
	return "."
}

// beneath reports whether a pattern has the given prefix as whole segments, and whether a name of
// the caller follows in one of these patterns. Then the prefix is a folder of names.
func beneath(all []*framework.Path, prefix string) (found, folder bool) {
	for _, p := range all {
		if rest, ok := strings.CutPrefix(p.Pattern, prefix); ok && (rest == "" || rest[0] == '/') {
			found, folder = true, folder || strings.Contains(rest, "(?P<")
		}
	}
	return found, folder
}

// list lists a level. In a category whose paths clients read like KV version 1 secrets, a missing
// parent has the status that KV returns for it.
func (l level) list(category string, folder bool) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		items, err := l.items(ctx, c)
		if category == loadCategory || category == renderCategory {
			err = asKV(err)
		}
		if err != nil {
			return nil, err
		}
		if folder {
			for i := range items {
				items[i].key += "/"
			}
			slices.SortFunc(items, func(a, b item) int { return strings.Compare(a.key, b.key) })
		}
		return respondList(c, items)
	}
}

// destinationLevels returns the lists of an environment's syncs to one destination.
func (b *Backend) destinationLevels() []*framework.Path {
	var paths []*framework.Path
	for _, name := range b.options.Providers.Destinations() {
		declared, p, _ := b.options.Providers.Destination(name)
		paths = append(paths, &framework.Path{
			Pattern:         syncFamily + inEnvironment + "/" + name + "/",
			DisplayAttrs:    display(),
			Fields:          pathFields(3, listFields()),
			HelpSynopsis:    "List the syncs of an environment to " + declared.Title + ".",
			HelpDescription: destinationHelp(declared, p.Declare()),
			Operations: operations{
				logical.ListOperation: operation(b.handle(listing(destinationItems(name))), "List the syncs of an environment to "+declared.Title+".", "list", name+"-syncs",
					listResponse("The syncs.", syncInfo)),
			},
		})
	}
	return paths
}

func destinationItems(destination string) lister {
	return func(ctx context.Context, c *call) ([]item, error) {
		all, err := syncItems(ctx, c)
		var items []item
		for _, i := range all {
			if name, ok := strings.CutPrefix(i.key, destination+"/"); ok {
				items = append(items, item{name, i.info})
			}
		}
		return items, err
	}
}

// category is the first segment of paths.
type category struct {
	name  string
	first *framework.Path // which describes the category
}

// categoriesOf returns the categories of paths, in the order of the paths.
func categoriesOf(all []*framework.Path) []category {
	var categories []category
	for _, p := range all {
		name := strings.Trim(p.Pattern, "^$")
		name, _, _ = strings.Cut(strings.TrimSuffix(name, "/?"), "/")
		known := slices.ContainsFunc(categories, func(c category) bool { return c.name == name })
		if name != "" && !known {
			categories = append(categories, category{name, p})
		}
	}
	return categories
}

// rootPath returns the list of the mount itself: the categories of the given paths.
func (b *Backend) rootPath(all []*framework.Path) *framework.Path {
	byKey := make(map[string]item)
	for _, c := range categoriesOf(all) {
		key := c.name
		for _, p := range all {
			if p.Operations[logical.ListOperation] != nil && strings.TrimRight(p.Pattern, "/?") == c.name {
				key = c.name + "/"
			}
		}
		byKey[key] = item{key, map[string]any{fieldDescription: c.first.HelpSynopsis}}
	}
	var items []item
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		items = append(items, byKey[key])
	}
	return &framework.Path{
		Pattern:         "^$",
		DisplayAttrs:    display(),
		Fields:          listFields(),
		HelpSynopsis:    rootSynopsis,
		HelpDescription: rootHelp,
		Operations: operations{
			logical.ListOperation: operation(b.handle(func(_ context.Context, c *call) (*logical.Response, error) { return respondList(c, items) }),
				rootSynopsis, "list", "categories", listResponse(categoryResponse, categoryInfo)),
		},
	}
}

const (
	rootSynopsis     = "List the categories of paths."
	categoryResponse = "The categories. Those that can be listed have a slash at their end."
	categoryInfo     = "By name: description."
)

const rootHelp = `
Every level of a path can be listed: the mount lists the categories, a category the workspaces, a
workspace in it the projects, and so on. A key that ends in a slash has names below it. syncs/ and
integrations/ list the syncs and integrations of a workspace with their whole paths.

    $ vault list stashbase/
    $ vault list stashbase/secrets/acme/api
    $ vault list -detailed stashbase/changes/acme/api/development
`

// asKV returns the error of a path that clients read like a KV version 1 secret: what does not exist
// has status 404. Clients derive "not found" from the status. The text stays in the body.
func asKV(err error) error {
	var known *fault.Error
	if errors.As(err, &known) && known.Kind == fault.NotFound {
		return fault.Missing("%s", known.Text)
	}
	return err
}
