package vaulttest

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// Package is one server for all tests of a package, started by the first that asks for it.
type Package struct {
	options Options
	once    sync.Once
	server  *Server
	err     error
}

// Shared describes the server of a test package. Nothing runs until the first call of Server.
func Shared(o Options) *Package { return &Package{options: o} }

// Run is the body of TestMain: it runs the tests, stops the server and returns the code to exit with.
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

// Server returns the package's server. It skips or fails the test as Start does when there is none.
func (p *Package) Server(t testing.TB) *Server {
	t.Helper()
	p.once.Do(func() { p.server, p.err = Launch(p.options) })
	require(t, p.err)
	return p.server
}
