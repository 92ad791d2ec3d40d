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

// secret is one secret as GitHub lists it.
type secret struct {
	Name    string    `json:"name"`
	Updated time.Time `json:"updated_at"`
}

// entry returns the secret as an entry. It returns false for a secret that GitHub cannot have sent.
func (s secret) entry() (provider.Entry, bool) {
	name := fold(s.Name)
	if name == "" || s.Updated.IsZero() || strings.ContainsFunc(name, unicode.IsControl) {
		return provider.Entry{}, false
	}
	return provider.Entry{Name: name, Updated: s.Updated.UTC()}, true
}

// list reads all pages. If a secret is created or deleted meanwhile, other secrets may move to
// another page and appear twice.
func (c *client) list(ctx context.Context, sc scope) ([]provider.Entry, error) {
	op := sc.reading("list the secrets")
	var entries []provider.Entry
	for page := 1; page != 0; {
		if page > maxPages {
			return nil, unexpected(op, false, nil)
		}
		var body struct {
			Secrets *[]secret `json:"secrets"`
		}
		response, err := c.get(ctx, op, sc.path+"?per_page="+strconv.Itoa(pageSize)+"&page="+strconv.Itoa(page), &body)
		if err != nil {
			return nil, err
		}
		if body.Secrets == nil {
			return nil, unexpected(op, false, nil)
		}
		for _, s := range *body.Secrets {
			e, ok := s.entry()
			if !ok {
				return nil, unexpected(op, false, nil)
			}
			entries = append(entries, e)
		}
		page = nextPage(strings.Join(response.Header.Values("Link"), ","), page)
	}
	slices.SortFunc(entries, func(a, b provider.Entry) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(entries, func(a, b provider.Entry) bool { return a.Name == b.Name }), nil
}

// nextPage returns the number of the next page from a Link header (RFC 8288), or 0 if there is
// none. It uses only the page number of the URL: the integration decides where the token is sent,
// never a response.
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
