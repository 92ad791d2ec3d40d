package github

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
)

func FuzzNextPage(f *testing.F) {
	for _, seed := range []string{
		"", `<https://api.github.com/x?per_page=100&page=2>; rel="next", <https://api.github.com/x?page=5>; rel="last"`,
		`<https://evil.example.com/?page=2>; rel=next`, `<x?page=1>; rel="next"`, `<x?page=2>; rel="prev next"`, `<>; rel="next"`, `<x?page=2; rel="next"`,
		`<x?page=99999999999999999999>; rel="next"`, `<x?page=-1>; rel="next"`, `<x?page=2>; rel="prev"; rel="next"`, "<\x00?page=2>;rel=next", `<x?a=1,2&page=2>; rel="next"`,
	} {
		f.Add(seed, 1)
	}
	f.Fuzz(func(t *testing.T, link string, current int) {
		switch next := nextPage(link, current); {
		case next != 0 && next != current+1:
			t.Errorf("the page after %d is %d", current, next)
		case next != 0 && !strings.Contains(strings.ToLower(link), "next"):
			t.Errorf("%q has no next page", link)
		}
	})
}

func TestNextPage(t *testing.T) {
	for link, want := range map[string]int{
		`<https://api.github.com/x?per_page=100&page=3>; rel="next", <https://api.github.com/x?page=5>; rel="last"`: 3,
		`<https://api.github.com/x?page=1>; rel="prev", <https://evil.example.com/?page=3>;REL=next`:                3,
		`<https://api.github.com/x?page=1>; rel="first"`:                                                            0,
		// The current page.
		`<https://api.github.com/x?page=2>; rel="next"`: 0,
		`<https://api.github.com/x?page=9>; rel="next"`: 0,
		`garbage; rel="next"`:                           0,
		"":                                              0,
	} {
		if got := nextPage(link, 2); got != want {
			t.Errorf("the page after 2 in %q is %d, want %d", link, got, want)
		}
	}
}

func FuzzTokenHeaders(f *testing.F) {
	for _, seed := range [][2]string{
		{"repo, read:org", "2027-01-31 09:00:00 UTC"}, {"", "2027-01-31 10:00:00 +0100"}, {",,", "2027-01-31"}, {"repo\x00", "9999-99-99 99:99:99 UTC"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, scopes, expires string) {
		for _, scope := range parseScopes(scopes) {
			if !legalScope.MatchString(scope) || !strings.Contains(scopes, scope) {
				t.Errorf("%q has the scope %q", scopes, scope)
			}
		}
		if at := parseExpiry(expires); !at.IsZero() && (at.Year() < 0 || at.Year() > 10000) {
			t.Errorf("%q is %v", expires, at)
		}
	})
}

func TestExpiry(t *testing.T) {
	for text, want := range map[string]string{
		"2027-01-31 09:00:00 UTC": "2027-01-31T09:00:00Z", "2027-01-31 10:00:00 +0100": "2027-01-31T09:00:00Z",
		"2027-01-31 09:00:00 PST": "0001-01-01T00:00:00Z", "soon": "0001-01-01T00:00:00Z", "": "0001-01-01T00:00:00Z",
	} {
		if got := parseExpiry(text).Format("2006-01-02T15:04:05Z07:00"); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

func FuzzPublicKey(f *testing.F) {
	f.Add("1", base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	f.Add("1", base64.StdEncoding.EncodeToString(make([]byte, 32)))
	f.Add("", "")
	f.Add(strings.Repeat("1", maxKeyID+1), "AAAA\nAAAA")
	f.Fuzz(func(t *testing.T, id, encoded string) {
		key, ok := parseKey(id, encoded)
		if !ok {
			return
		}
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(raw) != 32 || string(raw) != string(key.Key[:]) || key.ID != id {
			t.Errorf("%q is accepted as a key", encoded)
		}
		if _, err := key.seal([]byte("value")); err != nil {
			t.Errorf("sealing for %q failed: %v", encoded, err)
		}
	})
}

func FuzzClassify(f *testing.F) {
	f.Add(403, "", `{"message":"You have exceeded a secondary rate limit."}`)
	f.Add(403, "60", `{"message":"x"}`)
	f.Add(422, "", "<html>")
	f.Add(500, "", "\xff")
	f.Fuzz(func(t *testing.T, status int, after, body string) {
		r := &outbound.Response{Status: status, Header: http.Header{}, Body: []byte(body)}
		if after != "" {
			r.Header.Set("Retry-After", after)
		}
		class, hint, known := classify(r)
		if !known && (class != "" || hint != "") || known && class == "" {
			t.Errorf("%d has class %q and hint %q, known: %t", status, class, hint, known)
		}
	})
}

func FuzzListedSecret(f *testing.F) {
	f.Add(`{"name":"A","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}`)
	f.Add(`{"name":"a\nb","updated_at":"2026-01-01T00:00:00Z"}`)
	f.Add(`{"name":"A","updated_at":"0001-01-01T00:00:00Z"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var listed secret
		if json.Unmarshal([]byte(text), &listed) != nil {
			return
		}
		if e, ok := listed.entry(); ok && (e.Name == "" || e.Name != fold(e.Name) || e.Updated.IsZero()) {
			t.Errorf("%q is the entry %+v", text, e)
		}
	})
}
