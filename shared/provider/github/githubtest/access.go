package githubtest

import (
	"context"
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Access is the level of a permission.
type Access int

// The levels of a permission.
const (
	None Access = iota
	Read
	Write
)

// Token describes a token.
type Token struct {
	Login string   // login of its owner; "" for an installation of a GitHub App
	Scope []string // scopes of a classic token; nil for a fine-grained token
	// Permissions of a fine-grained token or of an installation.
	Secrets, Environments Access
	Repositories          []string  // full names of the visible repositories; nil for all
	Expires               time.Time // zero if the token does not expire
	// The organization requires single sign-on and the token is not authorized for it.
	SSO bool
}

type grant struct {
	Token
	id    int
	used  int
	reset time.Time
	times []time.Time // of writes within the last hour
}

// Issue returns a new token.
func (s *Server) Issue(t Token) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	prefix := "github_pat_"
	switch {
	case t.Login == "":
		prefix = "ghs_"
	case t.Scope != nil:
		prefix = "ghp_"
	}
	made := prefix + rand.Text()
	s.grants[made] = &grant{Token: t, id: 100 + len(s.grants)}
	return made
}

// Revoke revokes a token.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.grants, token)
}

func (s *Server) authenticate(r *http.Request) *grant {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	g := s.grants[token]
	if !strings.EqualFold(kind, "bearer") && !strings.EqualFold(kind, "token") || g == nil {
		return nil
	}
	if !g.Expires.IsZero() && !s.options.Now().Before(g.Expires) {
		return nil
	}
	return g
}

// describe sets the headers that describe a token.
func (g *grant) describe(h http.Header) {
	if g.Scope != nil {
		h.Set("X-Oauth-Scopes", strings.Join(g.Scope, ", "))
	}
	if !g.Expires.IsZero() {
		h.Set("Github-Authentication-Token-Expiration", g.Expires.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
}

type grantKey struct{}

func withGrant(ctx context.Context, g *grant) context.Context {
	return context.WithValue(ctx, grantKey{}, g)
}

func grantOf(r *http.Request) *grant {
	g, _ := r.Context().Value(grantKey{}).(*grant)
	return g
}

// sees reports whether the token can see that a repository exists.
func (g *grant) sees(full string) bool {
	if g.Scope != nil {
		return has(g.Scope, "repo")
	}
	return g.Repositories == nil || has(g.Repositories, full)
}

func has(list []string, wanted string) bool {
	for _, one := range list {
		if strings.EqualFold(one, wanted) {
			return true
		}
	}
	return false
}

// may reports whether the token has the wanted access. If it does not, may rejects the request.
func (g *grant) may(w http.ResponseWriter, place Place, wanted Access) bool {
	if g.Scope != nil {
		return true
	}
	access, name := g.Secrets, "secrets"
	if place.Environment != "" {
		access, name = g.Environments, "environments"
	}
	if access >= wanted {
		return true
	}
	w.Header().Set("X-Accepted-Github-Permissions", name+"="+map[Access]string{Read: "read", Write: "write"}[wanted])
	whose := "personal access token"
	if g.Login == "" {
		whose = "integration"
	}
	refuse(w, http.StatusForbidden, "Resource not accessible by "+whose)
	return false
}

// The limits of docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api. They
// repeat those of package github on purpose.
const (
	requestsPerHour = 5000
	writesPerMinute = 80
	writesPerHour   = 500
)

// withinLimits reports whether the rate limits allow a further request. If they do not,
// withinLimits rejects the request.
func (s *Server) withinLimits(w http.ResponseWriter, r *http.Request, g *grant) bool {
	now := s.options.Now()
	if !now.Before(g.reset) {
		g.used, g.reset = 0, now.Add(time.Hour)
	}
	allowed := g.used < requestsPerHour
	if allowed {
		g.used++
	}
	h := w.Header()
	h.Set("X-Ratelimit-Limit", strconv.Itoa(requestsPerHour))
	h.Set("X-Ratelimit-Remaining", strconv.Itoa(requestsPerHour-g.used))
	h.Set("X-Ratelimit-Used", strconv.Itoa(g.used))
	h.Set("X-Ratelimit-Reset", strconv.FormatInt(g.reset.Unix(), 10))
	h.Set("X-Ratelimit-Resource", "core")
	if !allowed {
		refuse(w, http.StatusForbidden, "API rate limit exceeded for user ID "+strconv.Itoa(g.id)+".")
		return false
	}
	if s.playRefusal(w, r) {
		return false
	}
	return !changes(r) || s.mayWrite(w, g, now)
}

func (s *Server) playRefusal(w http.ResponseWriter, r *http.Request) bool {
	f := s.refusal
	if f == nil || f.WritesOnly && !changes(r) {
		return false
	}
	if f.Times == 1 {
		s.refusal = nil
	}
	f.Times--
	for name, value := range f.Header {
		w.Header().Set(name, value)
	}
	refuse(w, f.Status, f.Message)
	return true
}

func (s *Server) mayWrite(w http.ResponseWriter, g *grant, now time.Time) bool {
	recent, lastMinute := g.times[:0], 0
	for _, at := range g.times {
		if now.Sub(at) < time.Hour {
			recent = append(recent, at)
		}
		if now.Sub(at) < time.Minute {
			lastMinute++
		}
	}
	g.times = recent
	if lastMinute >= writesPerMinute || len(recent) >= writesPerHour {
		s.over++
		w.Header().Set("Retry-After", "60")
		refuse(w, http.StatusForbidden, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.")
		return false
	}
	g.times = append(g.times, now)
	return true
}
