package vaulttest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

// ReloadPlugin makes Vault drop the mount's backend and build it anew: caches are cold afterwards. Several mounts share one
// plugin process, and it is that process which goes when the last of them has.
func (s *Server) ReloadPlugin(t testing.TB) {
	t.Helper()
	_, err := s.Client().Sys().ReloadPlugin(&api.ReloadPluginInput{Mounts: []string{s.options.MountPath + "/"}})
	must(t, err)
}

// KillPlugin ends the plugin's process with SIGKILL and returns once Vault has noticed. Vault starts another with the next request
// to the mount. A request on its way at the moment of the kill is answered with status 500.
func (s *Server) KillPlugin(t testing.TB) {
	t.Helper()
	killed := s.killPlugins()
	if len(killed) == 0 {
		t.Fatal("no plugin process is running (they are found through /proc, which only Linux has)")
	}
	// The process is gone a moment before Vault knows, and a request in that moment would fail instead of being replayed.
	must(t, s.poll(stopTimeout, "Vault to notice", func(context.Context) error {
		log := s.ServerLog()
		for _, pid := range killed {
			if !exited(log, pid) {
				return fmt.Errorf("process %d is still in use", pid)
			}
		}
		return nil
	}))
}

// exited looks for go-plugin's log line about the end of a process.
func exited(log string, pid int) bool {
	id := fmt.Sprintf(" id=%d", pid)
	for line := range strings.Lines(log) {
		_, fields, ok := strings.Cut(line, "plugin process exited:")
		if ok && (strings.Contains(fields, id+" ") || strings.Contains(fields, id+"\n")) {
			return true
		}
	}
	return false
}

// Kill ends Vault and its plugins with SIGKILL, as a power failure would.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.process.kill()
	s.killPlugins()
}

// Restart starts Vault again on the storage, the address and the log it had, after Kill or in its place, and unseals it.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.needs(t, Raft, "Restart")
	if s.process.running() {
		s.Kill(t)
	}
	must(t, s.spawn())
	must(t, s.unseal())
}

// Seal seals Vault, which ends the mount's backend.
func (s *Server) Seal(t testing.TB) {
	t.Helper()
	must(t, s.Client().Sys().Seal())
}

// Unseal is for after Seal; it returns once Vault is active again.
func (s *Server) Unseal(t testing.TB) {
	t.Helper()
	must(t, s.unseal())
}

// StepDown makes the node give up leadership, and returns once it has taken it up again. Vault waits 10 s before it does.
func (s *Server) StepDown(t testing.TB) {
	t.Helper()
	s.needs(t, Raft, "StepDown")
	must(t, s.Client().Sys().StepDown())
	must(t, s.waitActive())
}

// Eventually asks until the answer is nil, and fails the test with the last answer when the time is over or Vault has ended.
func (s *Server) Eventually(t testing.TB, limit time.Duration, what string, ask func(context.Context) error) {
	t.Helper()
	must(t, s.poll(limit, what, ask))
}

func (s *Server) needs(t testing.TB, storage Storage, what string) {
	t.Helper()
	if s.options.Storage != storage {
		t.Fatal(errors.New(what + " needs Options.Storage = Raft: data in memory does not survive"))
	}
}
