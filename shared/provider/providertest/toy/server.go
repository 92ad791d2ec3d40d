package toy

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

// Operation is the kind of a call.
type Operation string

// The operations.
const (
	Verify Operation = "verify"
	List   Operation = "list"
	Look   Operation = "look"
	Read   Operation = "read"
	Write  Operation = "write" // in granularity Bundle, all changes together
	Delete Operation = "delete"
)

// Call is one call of the provider to the server.
type Call struct {
	N         int // number of the call, from 1, across restarts of the engine
	Operation Operation
	Shelf     string
	Name      string // only for a Write or Delete in granularity Key
}

// Changes reports whether the call may change something.
func (c Call) Changes() bool { return c.Operation == Write || c.Operation == Delete }

// Fault is a failure of a call. The zero value is no failure.
type Fault struct {
	Err    error // returned instead of the result
	Hang   bool  // the call does not return until its context ends
	Effect bool  // the call has its effect nevertheless
}

// Lost returns the fault of a connection that breaks before the response arrives. The caller cannot
// know whether the call had its effect.
func Lost(effect bool) Fault {
	err := &outbound.Error{Class: outbound.Network, Provider: Name, Operation: "wait for the response", Unknown: true}
	return Fault{Err: err, Effect: effect}
}

// Refused returns a fault of the given class without effect.
func Refused(class outbound.Class, after time.Duration) Fault {
	return Fault{Err: &outbound.Error{Class: class, Provider: Name, Operation: "use the box", RetryAfter: after, Hint: "the test has set this fault"}}
}

// At returns a hook that makes the n-th call fail.
func At(n int, f Fault) func(Call) Fault {
	return func(c Call) Fault {
		if c.N != n {
			return Fault{}
		}
		return f
	}
}

// From returns a hook that makes the n-th call fail with f and all later calls without effect, as
// if the caller had stopped.
func From(n int, f Fault) func(Call) Fault {
	return func(c Call) Fault {
		switch {
		case c.N < n:
			return Fault{}
		case c.N == n:
			return f
		default:
			return Lost(false)
		}
	}
}

// Server stores shelves in memory. It is safe for concurrent use.
type Server struct {
	options Options

	mu      sync.Mutex
	key     string
	shelves map[string]map[string]stored
	version int
	calls   []Call
	hook    func(Call) Fault
}

type stored struct {
	value   string
	version int
	more    bool // others have added content that is no part of the value
}

func newServer(o Options) *Server {
	return &Server{options: o, key: rand.Text(), shelves: make(map[string]map[string]stored)}
}

// Key returns the accepted key.
func (s *Server) Key() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.key
}

// ChangeKey replaces the accepted key and returns the new one.
func (s *Server) ChangeKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = rand.Text()
	return s.key
}

// OnCall sets a hook that returns the fault of each further call; nil for no faults. The hook must
// be safe for concurrent use.
func (s *Server) OnCall(f func(Call) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = f
}

// Calls returns all calls so far, including failed ones.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Plant writes an entry as another client would.
func (s *Server) Plant(shelf, name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(shelf, name, value)
}

// Extend adds content to an entry as another client would. The content is no part of the value, and
// it is lost when the entry is written or deleted. In granularity Bundle it has no meaning.
func (s *Server) Extend(shelf, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name = s.fold(name)
	value := s.shelves[shelf][name].value
	s.put(shelf, name, value)
	extended := s.shelves[shelf][name]
	extended.more = true
	s.shelves[shelf][name] = extended
}

// Extended reports whether an entry still has the content that Extend has added.
func (s *Server) Extended(shelf, name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shelves[shelf][s.fold(name)].more
}

// Remove deletes an entry as another client would.
func (s *Server) Remove(shelf, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.shelves[shelf], s.fold(name))
}

// Truth returns the values of all entries on a shelf.
func (s *Server) Truth(shelf string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	truth := make(map[string]string)
	for name, e := range s.shelves[shelf] {
		truth[name] = e.value
	}
	return truth
}

// call handles one call: it asks the hook for a fault, checks the key and then runs effect.
func (s *Server) call(ctx context.Context, session *provider.Session, c Call, effect func() error) error {
	if err := ctx.Err(); err != nil {
		return &outbound.Error{Class: outbound.Network, Provider: Name, Operation: string(c.Operation), Cause: err}
	}
	fault := s.begin(&c)
	if !fault.Effect && (fault.Hang || fault.Err != nil) {
		return fault.end(ctx, c)
	}
	if err := s.take(session, c, effect); err != nil {
		return err
	}
	return fault.end(ctx, c)
}

func (s *Server) begin(c *Call) Fault {
	s.mu.Lock()
	c.N = len(s.calls) + 1
	s.calls = append(s.calls, *c)
	hook := s.hook
	s.mu.Unlock()
	if hook == nil {
		return Fault{}
	}
	return hook(*c)
}

func (s *Server) take(session *provider.Session, c Call, effect func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	shown := session.Credential.Text("key")
	if session.Auth == AuthPair {
		shown = session.Credential.Text("password")
	}
	switch {
	case shown != s.key:
		return refuse(outbound.Auth, string(c.Operation), "the key does not open the box: supply the key of the box")
	case session.Settings.Flag("read_only") && c.Changes():
		return refuse(outbound.Permission, string(c.Operation), "the box is read_only")
	}
	return effect()
}

func (f Fault) end(ctx context.Context, c Call) error {
	if !f.Hang {
		return f.Err
	}
	<-ctx.Done()
	return &outbound.Error{Class: outbound.Network, Provider: Name, Operation: string(c.Operation), Unknown: c.Changes(), Cause: ctx.Err()}
}

func (s *Server) fold(name string) string {
	if s.options.Fold == nil {
		return name
	}
	return s.options.Fold(name)
}

func (s *Server) put(shelf, name, value string) stored {
	if s.shelves[shelf] == nil {
		s.shelves[shelf] = make(map[string]stored)
	}
	s.version++
	e := stored{value: value, version: s.version}
	s.shelves[shelf][s.fold(name)] = e
	return e
}

// entry returns an entry as it is listed. The version and the time of a bundle are not those of its
// fields, so they are left out.
func (s *Server) entry(name string, e stored, g provider.Granularity) provider.Entry {
	listed := provider.Entry{Name: s.fold(name)}
	if g == provider.Key {
		listed.Version = strconv.Itoa(e.version)
	}
	if g == provider.Key || s.options.ReadBack == provider.ReadBackTimestamp {
		// Each version is one second later than the one before.
		listed.Updated = time.Date(2026, 1, 1, 0, 0, e.version, 0, time.UTC)
	}
	return listed
}

func (s *Server) list(shelf string, g provider.Granularity) ([]provider.Entry, error) {
	if shelf == Nowhere {
		return nil, nowhere()
	}
	var entries []provider.Entry
	for _, name := range slices.Sorted(maps.Keys(s.shelves[shelf])) {
		entries = append(entries, s.entry(name, s.shelves[shelf][name], g))
	}
	return entries, nil
}

func (s *Server) look(shelf string, g provider.Granularity, names []string) ([]provider.Entry, error) {
	if shelf == Nowhere {
		return nil, nowhere()
	}
	var entries []provider.Entry
	for _, name := range names {
		if e, ok := s.shelves[shelf][s.fold(name)]; ok {
			entries = append(entries, s.entry(name, e, g))
		}
	}
	return entries, nil
}

func (s *Server) read(shelf string, names []string) ([]provider.Value, error) {
	if shelf == Nowhere {
		return nil, nowhere()
	}
	var values []provider.Value
	for _, name := range names {
		if e, ok := s.shelves[shelf][s.fold(name)]; ok {
			values = append(values, provider.Value{Name: name, Bytes: []byte(e.value)})
		}
	}
	return values, nil
}

func (s *Server) change(shelf string, g provider.Granularity, c provider.Change) (provider.Entry, error) {
	name := s.fold(c.Name)
	now, exists := s.shelves[shelf][name]
	switch {
	case shelf == Nowhere:
		return provider.Entry{}, nowhere()
	case c.Delete && !exists:
		return provider.Entry{}, nil
	case !s.options.Incomparable && !expected(c.Expect, exists, s.entry(name, now, g)):
		return provider.Entry{}, refuse(outbound.Conflict, "compare", "the entry was changed in the meantime")
	case g == provider.Key && now.more && !c.Replace:
		return provider.Entry{}, &outbound.Error{
			Class: outbound.Conflict, Provider: Name, Operation: "compare", Cause: provider.ErrForeign, Hint: "others have added content to the entry: remove it, or adopt the entry by name",
		}
	case c.Delete:
		delete(s.shelves[shelf], name)
		return provider.Entry{}, nil
	}
	if err := s.allowed(shelf, name, c.Value, exists); err != nil {
		return provider.Entry{}, err
	}
	return s.entry(name, s.put(shelf, name, string(c.Value)), g), nil
}

func expected(expect *provider.Entry, exists bool, now provider.Entry) bool {
	if expect == nil || !exists {
		return !exists && expect == nil
	}
	return expect.Version == "" || expect.Version == now.Version
}

// allowed checks a write against the limits, as a service does.
func (s *Server) allowed(shelf, name string, value []byte, exists bool) error {
	l := s.options.Limits
	reserved := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
	switch {
	case l.Name != nil && !l.Name.MatchString(name), l.MaxNameBytes != 0 && len(name) > l.MaxNameBytes, slices.ContainsFunc(l.Reserved, reserved):
		return refuse(outbound.Invalid, "write", "the name is not valid on this shelf")
	case l.MaxValueBytes != 0 && len(value) > l.MaxValueBytes:
		return refuse(outbound.Limit, "write", "the value is too large for this shelf")
	case l.NoEmptyValue && len(value) == 0, l.TextOnly && !utf8.Valid(value):
		return refuse(outbound.Invalid, "write", "the value is not valid on this shelf")
	case l.MaxEntries != 0 && !exists && len(s.shelves[shelf]) >= l.MaxEntries:
		return refuse(outbound.Limit, "write", "the shelf is full")
	}
	return nil
}
