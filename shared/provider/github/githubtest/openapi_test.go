package githubtest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// recorder is a test that records its errors instead of failing.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Errorf(format string, a ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, a...))
}

// Violations of GitHub's description must be detected. Otherwise a passing test proves nothing.
func TestBreachesOfTheDescriptionAreSeen(t *testing.T) {
	Described(t)
	const secrets = "/repos/acme/api/actions/secrets"
	tests := []struct {
		name, method, path, body string
		status                   int
		response                 string
		want                     string // "" for nothing
	}{
		{"a good write", "PUT", secrets + "/A", `{"encrypted_value":"c2VjcmV0","key_id":"1"}`, 201, `{}`, ""},
		{"a good update", "PUT", secrets + "/A", `{"encrypted_value":"c2VjcmV0","key_id":"1"}`, 204, ``, ""},
		{"a good list", "GET", secrets + "?per_page=100&page=2", "", 200, `{"total_count":0,"secrets":[]}`, ""},
		{"a good refusal", "GET", secrets, "", 403, `{"message":"no"}`, ""},
		{"no key_id", "PUT", secrets + "/A", `{"encrypted_value":"c2VjcmV0"}`, 201, `{}`, "a request breaks"},
		{"no base64", "PUT", secrets + "/A", `{"encrypted_value":"?","key_id":"1"}`, 201, `{}`, "a request breaks"},
		{"no body", "PUT", secrets + "/A", ``, 201, `{}`, "a request breaks"},
		{"a key_id that is no text", "PUT", secrets + "/A", `{"encrypted_value":"c2VjcmV0","key_id":1}`, 201, `{}`, "a request breaks"},
		{"a page that is no number", "GET", secrets + "?page=two", "", 200, `{"total_count":0,"secrets":[]}`, "a request breaks"},
		{"no such path", "GET", "/repos/acme/api/secrets", "", 200, `{}`, "has no GET"},
		{"no such method", "POST", secrets + "/A", `{}`, 200, `{}`, "has no POST"},
		{"a list without its count", "GET", secrets, "", 200, `{"secrets":[]}`, "a response"},
		{"a secret without its time", "GET", secrets + "/A", "", 200, `{"name":"A","created_at":"2026-01-01T00:00:00Z"}`, "a response"},
		{"a time that is none", "GET", secrets + "/A", "", 200, `{"name":"A","created_at":"2026-01-01T00:00:00Z","updated_at":"today"}`, "a response"},
		{"a status of its own", "DELETE", secrets + "/A", "", 200, `{}`, "a response"},
		{"a refusal in another form", "GET", secrets, "", 404, `{"message":1}`, "a response"},
	}
	s := New(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
			if tt.body != "" {
				r.Header.Set("Content-Type", "application/json")
			}
			response := httptest.NewRecorder()
			if tt.response != "" {
				response.Header().Set("Content-Type", "application/json; charset=utf-8")
			}
			response.WriteHeader(tt.status)
			_, _ = response.WriteString(tt.response)
			seen := &recorder{TB: t}
			s.spec.check(seen, false, s.mux, r, []byte(tt.body), response)
			switch got := strings.Join(seen.errors, "\n"); {
			case tt.want == "" && got != "", tt.want != "" && !strings.Contains(got, tt.want):
				t.Errorf("got the errors %q, want %q", got, tt.want)
			}
		})
	}
}

// The rules that are not in the description.
func TestPublishedRulesAreEnforced(t *testing.T) {
	at := Place{Owner: "acme", Repository: "api"}
	s := New(t, Options{Lax: true})
	s.Add(at)
	token := s.Issue(Token{Login: "ada", Secrets: Write})
	ask := func(method, path, body, credential string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/repos/acme/api/actions/secrets"+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+credential)
		r.Header.Set("User-Agent", "test")
		r.Header.Set("Content-Type", "application/json")
		response := httptest.NewRecorder()
		s.ServeHTTP(response, r)
		return response
	}
	key := s.must(at).key
	for name, tt := range map[string]struct {
		method, path, body, credential string
		want                           int
	}{
		"nobody":             {"GET", "", "", "", http.StatusUnauthorized},
		"another's token":    {"GET", "", "", token + "x", http.StatusUnauthorized},
		"a name with a dash": {"PUT", "/A-B", `{"encrypted_value":"c2VjcmV0","key_id":"` + key.id + `"}`, token, http.StatusUnprocessableEntity},
		"a reserved name":    {"PUT", "/github_x", `{"encrypted_value":"c2VjcmV0","key_id":"` + key.id + `"}`, token, http.StatusUnprocessableEntity},
		"no box":             {"PUT", "/A", `{"encrypted_value":"c2VjcmV0","key_id":"` + key.id + `"}`, token, http.StatusUnprocessableEntity},
		"no key_id":          {"PUT", "/A", `{"encrypted_value":"c2VjcmV0"}`, token, http.StatusUnprocessableEntity},
		"what is not there":  {"DELETE", "/A", "", token, http.StatusNotFound},
		"no such path":       {"GET", "/A/B", "", token, http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ask(tt.method, tt.path, tt.body, tt.credential); got.Code != tt.want {
				t.Errorf("got status %d, want %d: %s", got.Code, tt.want, got.Body)
			}
		})
	}
	if len(s.Truth(at)) != 0 {
		t.Errorf("the server has %q", s.Truth(at))
	}
}
