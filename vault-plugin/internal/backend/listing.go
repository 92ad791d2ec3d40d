package backend

import (
	"context"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// maxPage is the maximum size of a page.
const maxPage = 1000

// item is one entry of a list: its name and a few details.
type item struct {
	key  string
	info map[string]any
}

func listFields() fields {
	return fields{
		fieldLimit: query(intField("Maximum number of names to return, 1 to 1000. If absent, all are returned.")),
		fieldAfter: query(stringField("Return only names that sort after this name. To continue a list, set it to the `next` of the previous page.")),
	}
}

func listResponse(help, info string) map[int][]framework.Response {
	return response(help, fields{
		"keys":     list("The names, sorted."),
		"key_info": object(info),
		"next":     stringField("Value of `after` that returns the next page. Absent on the last page and without `limit`."),
	}, "key_info", "next", "keys")
}

// limit returns the maximum number of entries that the caller requests; 0 means all.
func (c *call) limit() (int, error) {
	limit, err := c.number(fieldLimit)
	if err != nil || limit != nil && (*limit < 1 || *limit > maxPage) {
		return 0, fault.New(fault.Invalid, "%s: must be a whole number from 1 to %d", fieldLimit, maxPage)
	}
	if limit == nil {
		return 0, nil
	}
	return int(*limit), nil
}

// lister returns the entries of a list, sorted by key.
type lister func(ctx context.Context, c *call) ([]item, error)

// listing makes a handler of a lister.
func listing(items lister) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		all, err := items(ctx, c)
		if err != nil {
			return nil, err
		}
		return respondList(c, all)
	}
}

// respondList returns the sorted items, or the page of them that the request selects.
func respondList(c *call, items []item) (*logical.Response, error) {
	return respondPage(c, items, strings.Compare)
}

// respondPage is respondList for items whose keys are sorted by compare.
func respondPage(c *call, items []item, compare func(a, b string) int) (*logical.Response, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	after := c.text(fieldAfter)
	page := items
	if after != "" {
		page = nil
		for _, i := range items {
			if compare(i.key, after) > 0 {
				page = append(page, i)
			}
		}
	}
	next := ""
	if limit > 0 && len(page) > limit {
		page = page[:limit]
		next = page[len(page)-1].key
	}
	names, info := make([]string, len(page)), make(map[string]any, len(page))
	for i, it := range page {
		names[i], info[it.key] = it.key, it.info
	}
	resp := logical.ListResponseWithInfo(names, info)
	if next != "" {
		resp.Data["next"] = next
	}
	return resp, nil
}

// stamp formats a time as RFC 3339 in UTC.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// moment is stamp for an optional time: the zero time becomes the empty string.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return stamp(t)
}
