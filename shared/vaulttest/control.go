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

// ReloadPlugin makes Vault replace the mount's backend with a new one, whose caches are cold.
// Several mounts share one plugin process. The process ends when the last of them has been
// reloaded.
func (s *Server) ReloadPlugin(t testing.TB) {
	t.Helper()
	_, err := s.Client().Sys().ReloadPlugin(&api.ReloadPluginInput{Mounts: []string{s.options.MountPath + "/"}})
	must(t, err)
}

// KillPlugin ends the plugin's process with SIGKILL and waits until Vault has noticed. Vault starts
// a new process with the next request to the mount. A request that is in progress at the moment of
// the kill fails with status 500.
func (s *Server) KillPlugin(t testing.TB) {
	t.Helper()
	killed := s.killPlugins()
	if len(killed) == 0 {
		t.Fatal("no plugin process is running; they are found through /proc, which only Linux has")
	}
	// Vault notices the end of the process a moment later. A request in that moment would fail
	// instead of being replayed.
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

// exited reports whether the log has go-plugin's line about the end of a process.
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

// Kill ends Vault and its plugins with SIGKILL, like a power failure.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.process.kill()
	s.killPlugins()
}

// Restart starts Vault again with the same storage, address and log, and unseals it. It kills Vault
// first if it runs.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.needs(t, Raft, "Restart")
	if s.process.running() {
		s.Kill(t)
	}
	must(t, s.spawn())
	must(t, s.unseal())
}

// Seal seals Vault. That ends the mount's backend.
func (s *Server) Seal(t testing.TB) {
	t.Helper()
	must(t, s.Client().Sys().Seal())
}

// Unseal unseals Vault after Seal, and waits until it is active.
func (s *Server) Unseal(t testing.TB) {
	t.Helper()
	must(t, s.unseal())
}

// StepDown makes the node give up leadership, and waits until it is active again. Vault takes 10 s
// for that.
func (s *Server) StepDown(t testing.TB) {
	t.Helper()
	s.needs(t, Raft, "StepDown")
	must(t, s.Client().Sys().StepDown())
	must(t, s.waitActive())
}

// Eventually calls ask until it returns nil. It fails the test with the last error when the time
// limit is reached or Vault has ended. what names the expected event in that error.
func (s *Server) Eventually(t testing.TB, limit time.Duration, what string, ask func(context.Context) error) {
	t.Helper()
	must(t, s.poll(limit, what, ask))
}

func (s *Server) needs(t testing.TB, storage Storage, what string) {
	t.Helper()
	if s.options.Storage != storage {
		t.Fatal(errors.New(what + " requires Options.Storage = Raft: data in memory does not survive"))
	}
}
