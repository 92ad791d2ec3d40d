package githubtest

import (
	"crypto/rand"
	"math/big"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/box"
)

// repository is a repository with its environments.
type repository struct {
	id           int
	owner, name  string
	scope        *scope
	environments map[string]*scope // by name in lower case
}

// scope is a repository or an environment: secrets and a key pair.
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
	shown           string // sent instead of the public key, unless ""
}

// Place names a repository, or one of its environments.
type Place struct{ Owner, Repository, Environment string }

// Add creates a repository, or an environment together with its repository.
func (s *Server) Add(place Place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := strings.ToLower(place.Owner + "/" + place.Repository)
	repo := s.repos[full]
	if repo == nil {
		repo = &repository{id: 1000 + len(s.repos), owner: place.Owner, name: place.Repository, scope: newScope(s.t), environments: make(map[string]*scope)}
		s.repos[full] = repo
	}
	if environment := strings.ToLower(place.Environment); environment != "" && repo.environments[environment] == nil {
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

// digits returns a random number of n digits.
func digits(t testing.TB, n int) string {
	low := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n-1)), nil)
	some, err := rand.Int(rand.Reader, new(big.Int).Mul(low, big.NewInt(9)))
	if err != nil {
		t.Fatal(err)
	}
	return some.Add(some, low).String()
}

func requestID() string { return strings.ToUpper(rand.Text()) }

// find returns a scope, or nil if it does not exist.
func (s *Server) find(p Place) *scope {
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

// must returns a scope that the test has added.
func (s *Server) must(p Place) *scope {
	found := s.find(p)
	if found == nil {
		s.t.Fatalf("githubtest: the test has not added %+v", p)
	}
	return found
}

// Plant writes a secret as another client would.
func (s *Server) Plant(place Place, name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.must(place).put(name, value, s.now())
}

// Remove deletes a secret as another client would.
func (s *Server) Remove(place Place, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.must(place).secrets, strings.ToUpper(name))
}

// Truth returns the values of all secrets at a place.
func (s *Server) Truth(place Place) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	truth := make(map[string]string)
	for name, kept := range s.must(place).secrets {
		truth[name] = kept.value
	}
	return truth
}

// Updated returns the time of the last write of a secret.
func (s *Server) Updated(place Place, name string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if kept := s.must(place).secrets[strings.ToUpper(name)]; kept != nil {
		return kept.updated
	}
	return time.Time{}
}

// RotateKey replaces the key of a scope. Values that are sealed for the old key are rejected from
// now on.
func (s *Server) RotateKey(place Place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.must(place).key = newKeyPair(s.t)
}

// ShowKey makes a scope return the given JSON string instead of its public key.
func (s *Server) ShowKey(place Place, shown string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.must(place).key.shown = shown
}

// now returns the time with GitHub's resolution.
func (s *Server) now() time.Time { return s.options.Now().UTC().Truncate(time.Second) }

// put writes a secret and reports whether it is new.
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
