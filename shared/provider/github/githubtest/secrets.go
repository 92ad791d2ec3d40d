package githubtest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/nacl/box"
)

// The limits of docs.github.com/en/actions/reference/security/secrets. They repeat those of package
// github on purpose.
const (
	maxSecrets = 100
	maxValue   = 48 * 1024
)

var legalName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// routes returns a mux with the patterns of the description.
func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /user", s.user)
	mux.HandleFunc("GET /installation/repositories", s.installation)
	for _, secrets := range []string{"/repos/{owner}/{repo}/actions/secrets", "/repos/{owner}/{repo}/environments/{environment_name}/secrets"} {
		mux.HandleFunc("GET "+secrets, s.scoped(Read, s.list))
		mux.HandleFunc("GET "+secrets+"/public-key", s.scoped(Read, s.publicKey))
		mux.HandleFunc("GET "+secrets+"/{secret_name}", s.scoped(Read, s.get))
		mux.HandleFunc("PUT "+secrets+"/{secret_name}", s.scoped(Write, s.put))
		mux.HandleFunc("DELETE "+secrets+"/{secret_name}", s.scoped(Write, s.delete))
	}
	return mux
}

// scoped passes the scope of a path to handle if the token can see it and has the wanted access.
func (s *Server) scoped(wanted Access, handle func(w http.ResponseWriter, r *http.Request, sc *scope)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := Place{r.PathValue("owner"), r.PathValue("repo"), r.PathValue("environment_name")}
		g, found := grantOf(r), s.find(p)
		if found == nil || !g.sees(p.Owner+"/"+p.Repository) {
			refuse(w, http.StatusNotFound, "Not Found")
			return
		}
		if g.SSO {
			w.Header().Set("X-Github-Sso", "required; url=https://github.com/orgs/"+p.Owner+"/sso")
			refuse(w, http.StatusForbidden, "Resource protected by organization SAML enforcement. You must grant your personal access token access to this organization.")
			return
		}
		if g.may(w, p, wanted) {
			handle(w, r, found)
		}
	}
}

func (c *scope) show(name string) map[string]string {
	const form = "2006-01-02T15:04:05Z"
	kept := c.secrets[name]
	return map[string]string{"name": name, "created_at": kept.created.Format(form), "updated_at": kept.updated.Format(form)}
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, sc *scope) {
	size, page := number(r.URL.Query(), "per_page", 30), number(r.URL.Query(), "page", 1)
	size = min(size, 100)
	names := slices.Sorted(maps.Keys(sc.secrets))
	pages := max(1, (len(names)+size-1)/size)
	shown := []map[string]string{}
	for _, name := range names[min(len(names), (page-1)*size):min(len(names), page*size)] {
		shown = append(shown, sc.show(name))
	}
	if link := s.link(r, size, page, pages); link != "" {
		w.Header().Set("Link", link)
	}
	reply(w, http.StatusOK, map[string]any{"total_count": len(names), "secrets": shown})
}

func number(q url.Values, name string, usual int) int {
	n, err := strconv.Atoi(q.Get(name))
	if err != nil || n < 1 {
		return usual
	}
	return n
}

func (s *Server) link(r *http.Request, size, page, pages int) string {
	var links []string
	add := func(rel string, n int) {
		links = append(links, fmt.Sprintf(`<%s%s?per_page=%d&page=%d>; rel="%s"`, s.URL, r.URL.EscapedPath(), size, n, rel))
	}
	if page > 1 {
		add("prev", page-1)
	}
	if page < pages {
		add("next", page+1)
		add("last", pages)
	}
	if page > 1 {
		add("first", 1)
	}
	return strings.Join(links, ", ")
}

func (s *Server) publicKey(w http.ResponseWriter, _ *http.Request, sc *scope) {
	shown := base64.StdEncoding.EncodeToString(sc.key.public[:])
	if sc.key.shown != "" {
		shown = sc.key.shown
	}
	reply(w, http.StatusOK, map[string]string{"key_id": sc.key.id, "key": shown})
}

func (s *Server) get(w http.ResponseWriter, r *http.Request, sc *scope) {
	name := strings.ToUpper(r.PathValue("secret_name"))
	if sc.secrets[name] == nil {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	reply(w, http.StatusOK, sc.show(name))
}

func (s *Server) put(w http.ResponseWriter, r *http.Request, sc *scope) {
	var body struct {
		Value *string `json:"encrypted_value"`
		KeyID *string `json:"key_id"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		refuse(w, http.StatusBadRequest, "Problems parsing JSON")
		return
	}
	value, why := sc.open(body.Value, body.KeyID)
	name := r.PathValue("secret_name")
	switch {
	case !legalName.MatchString(name):
		why = "Secret names can only contain alphanumeric characters ([a-z], [A-Z], [0-9]) or underscores (_). Spaces are not allowed. Must start with a letter ([a-z], [A-Z]) or underscores (_)."
	case strings.HasPrefix(strings.ToUpper(name), "GITHUB_"):
		why = "Secret names must not start with GITHUB_."
	case why == "" && len(value) > maxValue:
		why = "Value is too large"
	case why == "" && sc.secrets[strings.ToUpper(name)] == nil && len(sc.secrets) >= maxSecrets:
		why = "Failed to add secret. There are too many secrets."
	}
	if why != "" {
		refuse(w, http.StatusUnprocessableEntity, why)
		return
	}
	if sc.put(name, value, s.now()) {
		reply(w, http.StatusCreated, struct{}{})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// open opens a sealed box, or returns why it is rejected.
func (c *scope) open(value, keyID *string) (opened, why string) {
	switch {
	case value == nil:
		return "", "Invalid request.\n\n\"encrypted_value\" wasn't supplied."
	case keyID == nil:
		return "", "Invalid request.\n\n\"key_id\" wasn't supplied."
	}
	sealed, err := base64.StdEncoding.DecodeString(*value)
	if err != nil {
		return "", "Invalid request.\n\nencrypted_value does not match."
	}
	plain, ok := box.OpenAnonymous(nil, sealed, c.key.public, c.key.private)
	if *keyID != c.key.id || !ok {
		return "", "improperly encrypted secret"
	}
	return string(plain), ""
}

func (s *Server) delete(w http.ResponseWriter, r *http.Request, sc *scope) {
	name := strings.ToUpper(r.PathValue("secret_name"))
	if sc.secrets[name] == nil {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	delete(sc.secrets, name)
	w.WriteHeader(http.StatusNoContent)
}
