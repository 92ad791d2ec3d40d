package githubtest

import (
	"crypto/rand"
	"math/big"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/box"
)

// repository is one repository.
type repository struct {
	id           int
	owner, name  string
	scope        *scope
	environments map[string]*scope // by name in lower case
}

// scope is what has secrets, and a key of its own.
type scope struct {
	key     keyPair
	secrets map[string]*secret // by name in upper case
}

type secret struct {
	value            string
	created, updated time.Time
}

type keyPair struct {
	id              string
	public, private *[32]byte
	shown           string // what is answered in place of the public key; "" for that
}

// Place names a scope.
type Place struct{ Owner, Repository, Environment string }

// Add makes a repository, or one of its environments together with the repository.
func (s *Server) Add(at Place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := strings.ToLower(at.Owner + "/" + at.Repository)
	repo := s.repos[full]
	if repo == nil {
		repo = &repository{id: 1000 + len(s.repos), owner: at.Owner, name: at.Repository, scope: newScope(s.t), environments: make(map[string]*scope)}
		s.repos[full] = repo
	}
	if environment := strings.ToLower(at.Environment); environment != "" && repo.environments[environment] == nil {
		repo.environments[environment] = newScope(s.t)
	}
}

func newScope(t testing.TB) *scope {
	return &scope{key: newKeyPair(t), secrets: make(map[string]*secret)}
}

func newKeyPair(t testing.TB) keyPair {
	public, private, err := box.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{id: digits(t, 18), public: public, private: private}
}

// digits is a number of n digits.
func digits(t testing.TB, n int) string {
	low := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n-1)), nil)
	some, err := rand.Int(rand.Reader, new(big.Int).Mul(low, big.NewInt(9)))
	if err != nil {
		t.Fatal(err)
	}
	return some.Add(some, low).String()
}

func requestID() string { return strings.ToUpper(rand.Text()) }

// at answers a scope; nil where there is none.
func (s *Server) at(p Place) *scope {
	repo := s.repos[strings.ToLower(p.Owner+"/"+p.Repository)]
	switch {
	case repo == nil:
		return nil
	case p.Environment == "":
		return repo.scope
	default:
		return repo.environments[strings.ToLower(p.Environment)]
	}
}

// must is at, for a place that the test has added.
func (s *Server) must(p Place) *scope {
	found := s.at(p)
	if found == nil {
		s.t.Fatalf("githubtest: nobody has added %+v", p)
	}
	return found
}

// Plant puts a secret there as somebody else would.
func (s *Server) Plant(at Place, name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.must(at).put(name, value, s.now())
}

// Remove takes a secret away as somebody else would.
func (s *Server) Remove(at Place, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.must(at).secrets, strings.ToUpper(name))
}

// Truth answers the values of all secrets there.
func (s *Server) Truth(at Place) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	truth := make(map[string]string)
	for name, kept := range s.must(at).secrets {
		truth[name] = kept.value
	}
	return truth
}

// Updated answers when a secret was last written.
func (s *Server) Updated(at Place, name string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if kept := s.must(at).secrets[strings.ToUpper(name)]; kept != nil {
		return kept.updated
	}
	return time.Time{}
}

// RotateKey gives a scope another key. What is sealed for the one before is refused from now on.
func (s *Server) RotateKey(at Place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.must(at).key = newKeyPair(s.t)
}

// ShowKey has a scope answer something else in place of its public key, as it stands in JSON.
func (s *Server) ShowKey(at Place, shown string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.must(at).key.shown = shown
}

// now is the time as GitHub tells it.
func (s *Server) now() time.Time { return s.options.Now().UTC().Truncate(time.Second) }

// put reports whether the secret is a new one.
func (c *scope) put(name, value string, now time.Time) bool {
	name = strings.ToUpper(name)
	kept := c.secrets[name]
	created := kept == nil
	if created {
		kept = &secret{created: now}
		c.secrets[name] = kept
	}
	kept.value, kept.updated = value, now
	return created
}
