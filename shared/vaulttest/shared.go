package vaulttest

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// Package is one server for all tests of a package. The first call of Server starts it.
type Package struct {
	options Options
	once    sync.Once
	server  *Server
	err     error
}

// Shared returns the server of a test package. It starts nothing.
func Shared(o Options) *Package { return &Package{options: o} }

// Run is the body of TestMain. It runs the tests, stops the server and returns the exit code.
func (p *Package) Run(m *testing.M) int {
	code := m.Run()
	if p.server == nil {
		return code
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "the end of Vault's log:\n%s\n", tail(p.server.ServerLog(), 40))
	}
	if err := p.server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// Server returns the package's server, and starts it if necessary. Without a Vault binary it skips
// or fails the test as Start does.
func (p *Package) Server(t testing.TB) *Server {
	t.Helper()
	p.once.Do(func() { p.server, p.err = Launch(p.options) })
	require(t, p.err)
	return p.server
}
