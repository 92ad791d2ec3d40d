package backend

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/secrets"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// tablePaths returns the lists of what a read returns as one object. `vault list -detailed` prints a
// list as a table with one line for each key, and key_info as its columns.
func (b *Backend) tablePaths() []*framework.Path {
	table := func(pattern string, depth int, of, suffix, help, info string, run handler) *framework.Path {
		return &framework.Path{
			Pattern:         pattern + "/",
			DisplayAttrs:    display(),
			Fields:          pathFields(depth, listFields()),
			HelpSynopsis:    "List " + of + ".",
			HelpDescription: help,
			Operations: operations{
				logical.ListOperation: operation(b.handle(run), "List "+of+".", "list", suffix, listResponse("The list.", info)),
			},
		}
	}
	return []*framework.Path{
		table("changes"+inEnvironment, 3, "the changes of an environment by time, oldest first", "changes", changesHelp,
			"By time: change (the id), created_by, comment, created, updated, deleted (numbers of secrets), secrets (their names).", listChanges),
		table("metadata"+inEnvironment, 3, "the secrets of an environment with their metadata", "environment-metadata", metadataHelp,
			"By name: state (live, deleted, destroyed or damaged), version, created_time, created_by, updated_time, deletion_time, encoding, size, tags.", listing(metadataItems)),
		table("metadata"+inSecret, 4, "the versions of a secret", "versions", metadataHelp,
			"By number: state (live, deleted or destroyed), created_time, created_by, comment, encoding, size, deletion_time.", listVersions),
		table("keys"+inWorkspace, 1, "the key versions of a workspace", "key-versions", keysHelp, "By number: created_time, state.", listKeyVersions),
		table("master-key", 0, "the versions of the master key", "master-key-versions", masterKeyHelp, "By number: created_time, state.",
			func(_ context.Context, c *call) (*logical.Response, error) {
				m := c.Keys.MasterStatus()
				return respondKeyVersions(c, m.Versions, 0, m.Latest)
			}),
	}
}

// timeKey is the format of a change's time as a key. All keys have the same length, so they sort by
// time.
const timeKey = "2006-01-02T15:04:05.000000000Z"

// listChanges lists the newest changes by their time, because `vault list` sorts keys as text and a
// change's id has no order.
func listChanges(ctx context.Context, c *call) (*logical.Response, error) {
	newest, older, err := c.Secrets.Changes(ctx, c.request(), c.path, secrets.MaxChanges, "")
	if err != nil {
		return nil, err
	}
	items := make([]item, 0, len(newest))
	for _, change := range slices.Backward(newest) {
		key := change.Time.UTC().Format(timeKey)
		if n := len(items); n > 0 && strings.HasPrefix(items[n-1].key, key) {
			key = items[n-1].key + "+" // two changes at the same time
		}
		items = append(items, item{key, describeChange(change)})
	}
	resp, err := respondList(c, items)
	if err == nil && older != "" {
		resp.AddWarning(fmt.Sprintf("the list has the newest %d changes; to see older ones, read the path with after=%s", len(newest), older))
	}
	return resp, err
}

// describeChange returns one line about a change.
func describeChange(change secrets.Change) map[string]any {
	const named = 3
	counts := map[string]int{secrets.Created: 0, secrets.Updated: 0, secrets.Removed: 0}
	var names []string
	for _, s := range change.Secrets {
		counts[s.Action]++
		if !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	shown := strings.Join(names[:min(named, len(names))], ", ")
	if more := len(names) - named; more > 0 {
		shown += fmt.Sprintf(" and %d more", more)
	}
	return map[string]any{
		fieldChange: change.ID, fieldCreatedBy: change.By.DisplayName, fieldComment: change.Comment, fieldSecrets: shown,
		secrets.Created: counts[secrets.Created], secrets.Updated: counts[secrets.Updated], secrets.Removed: counts[secrets.Removed],
	}
}

func metadataItems(ctx context.Context, c *call) ([]item, error) {
	all, err := c.Secrets.Metadata(ctx, c.request(), c.path)
	if err != nil {
		return nil, err
	}
	items := make([]item, len(all))
	for i, m := range all {
		info := summary(c, m)
		if newest, ok := m.Newest(); ok {
			info[fieldCreated], info[fieldCreatedBy] = stamp(newest.Created), newest.By.DisplayName
			info[fieldEncoding], info["size"] = encodingName(newest.Encoding), newest.Size
			info["deletion_time"], info[fieldTags] = deletionTime(newest), strings.Join(m.Tags, ", ")
		}
		items[i] = item{m.Name, info}
	}
	return items, nil
}

func listVersions(ctx context.Context, c *call) (*logical.Response, error) {
	m, err := c.Secrets.MetadataOf(ctx, c.request(), c.path, c.name)
	if err != nil {
		return nil, err
	}
	items := make([]item, len(m.Versions))
	for i, v := range m.Versions {
		items[i] = item{versionNumber(v.Number), describeLine(v, c.now())}
	}
	return respondPage(c, items, compareNumbers)
}

// describeLine returns one line about a version.
func describeLine(v store.Version, now time.Time) map[string]any {
	state := "live"
	switch {
	case v.Destroyed:
		state = "destroyed"
	case !v.Live(now):
		state = "deleted"
	}
	return map[string]any{
		"state": state, fieldCreated: stamp(v.Created), fieldCreatedBy: v.By.DisplayName, fieldComment: v.Comment,
		fieldEncoding: encodingName(v.Encoding), "size": v.Size, "deletion_time": deletionTime(v),
	}
}

func listKeyVersions(_ context.Context, c *call) (*logical.Response, error) {
	id, err := c.workspaceOfKeys()
	if err != nil {
		return nil, err
	}
	entry, ok := c.Keys.Entry(id)
	if !ok || entry.Damaged {
		return nil, keys.ErrDamaged(id)
	}
	return respondKeyVersions(c, entry.Versions, entry.MinDecryption, entry.Latest)
}

func respondKeyVersions(c *call, versions []keys.Version, lowest, latest uint32) (*logical.Response, error) {
	items := make([]item, len(versions))
	for i, v := range versions {
		items[i] = item{strconv.FormatUint(uint64(v.Version), 10), describeKeyVersion(v, lowest, latest)}
	}
	slices.SortFunc(items, func(a, b item) int { return compareNumbers(a.key, b.key) })
	return respondPage(c, items, compareNumbers)
}

// compareNumbers compares numbers in decimal digits without leading zeros.
func compareNumbers(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// workspaceOfKeys returns the id of the workspace whose keys a read or a list is about. In these
// paths, the workspace is the last segment.
func (c *call) workspaceOfKeys() (store.ID, error) {
	id, err := c.Tree.WorkspaceID(c.request(), c.path.Workspace)
	if fault.Is(err, fault.NotFound) {
		return id, fault.Missing("workspace %q does not exist", c.path.Workspace)
	}
	return id, err
}
