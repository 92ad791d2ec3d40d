package github

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

// secret is one secret as GitHub tells of it.
type secret struct {
	Name    string    `json:"name"`
	Updated time.Time `json:"updated_at"`
}

// entry answers false for what is none of GitHub's.
func (s secret) entry() (provider.Entry, bool) {
	name := fold(s.Name)
	if name == "" || s.Updated.IsZero() || strings.ContainsFunc(name, unicode.IsControl) {
		return provider.Entry{}, false
	}
	return provider.Entry{Name: name, Updated: s.Updated.UTC()}, true
}

// list reads all pages. A secret that is made or removed meanwhile may move others from page to page, so one may come twice.
func (c *client) list(ctx context.Context, at scope) ([]provider.Entry, error) {
	op := at.reading("list the secrets")
	var entries []provider.Entry
	for page := 1; page != 0; {
		if page > maxPages {
			return nil, strange(op, false, nil)
		}
		var told struct {
			Secrets *[]secret `json:"secrets"`
		}
		answer, err := c.get(ctx, op, at.path+"?per_page="+strconv.Itoa(pageSize)+"&page="+strconv.Itoa(page), &told)
		if err != nil {
			return nil, err
		}
		if told.Secrets == nil {
			return nil, strange(op, false, nil)
		}
		for _, s := range *told.Secrets {
			e, ok := s.entry()
			if !ok {
				return nil, strange(op, false, nil)
			}
			entries = append(entries, e)
		}
		page = nextPage(strings.Join(answer.Header.Values("Link"), ","), page)
	}
	slices.SortFunc(entries, func(a, b provider.Entry) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(entries, func(a, b provider.Entry) bool { return a.Name == b.Name }), nil
}

// nextPage reads a Link header (RFC 8288) for the number of the page after the current one; 0 where there is none. Of the URL it takes
// the number alone: where the token is sent to, the integration decides and not an answer.
func nextPage(link string, current int) int {
	for part := range strings.SplitSeq(link, ",") {
		target, parameters, found := strings.Cut(strings.TrimSpace(part), ">")
		if !found || !strings.HasPrefix(target, "<") || !relatesNext(parameters) {
			continue
		}
		u, err := url.Parse(target[1:])
		if err != nil {
			return 0
		}
		page, err := strconv.Atoi(u.Query().Get("page"))
		if err != nil || page != current+1 {
			return 0
		}
		return page
	}
	return 0
}

func relatesNext(parameters string) bool {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if strings.EqualFold(strings.TrimSpace(name), "rel") {
			return slices.Contains(strings.Fields(strings.ToLower(strings.Trim(strings.TrimSpace(value), `"`))), "next")
		}
	}
	return false
}
