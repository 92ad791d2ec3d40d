package backend

import (
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// maxPage is the most a list answers at once when it is asked for pages.
const maxPage = 1000

// item is one entry of a list: its name, and what a list is read for.
type item struct {
	key  string
	info map[string]any
}

func listFields() fields {
	return fields{
		fieldLimit: query(intField("Answer at most this many names, 1 to 1000. Left out: all.")),
		fieldAfter: query(stringField("Answer only names that sort after this one; `next` of the previous page.")),
	}
}

func listResponse(help, info string) map[int][]framework.Response {
	return response(help, fields{
		"keys":     list("The names, sorted."),
		"key_info": object(info),
		"next":     stringField("Give this as `after` for the next page; only with `limit`, where more follow."),
	}, "key_info", "next", "keys")
}

// limit reads how many entries the caller wants at once; 0 is all.
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

// answerList answers items, which are sorted, or the page of them that the request asks for.
func answerList(c *call, items []item) (*logical.Response, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	after := c.text(fieldAfter)
	var page []item
	for _, i := range items {
		if i.key > after {
			page = append(page, i)
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

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// moment is stamp for a time that may never have come: it is then empty.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return stamp(t)
}
