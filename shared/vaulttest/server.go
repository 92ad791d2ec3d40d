package vaulttest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

// ErrNoVault says that there is no Vault binary to test with.
var ErrNoVault = errors.New("no Vault binary: run `make vault` (6 to 9 minutes on two cores, once), or set VAULT_BINARY")

// How long a server may take to answer, to become active, and to stop. They are far above what is usual (a second, two seconds,
// and half a second), because a shared machine under the race detector must not fail a test that only had to wait.
const (
	startTimeout  = 60 * time.Second
	activeTimeout = 60 * time.Second
	stopTimeout   = 15 * time.Second
)

// Server is a running Vault, unsealed, with the plugin mounted.
type Server struct {
	options Options
	binary  string
	dir     string
	address string
	cluster string
	process *process
	stopped bool

	unsealKey string
	rootToken string
	authority []byte // PEM

	mount *api.MountOutput
}

// Start runs a server until the test ends. It skips the test when there is no Vault binary, and fails it then under CI=true.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Launch(o)
	require(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of Vault's log:\n%s", tail(s.ServerLog(), 40))
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// require ends a test that got no server: as skipped on a laptop without Vault, otherwise as failed.
func require(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, ErrNoVault) && os.Getenv("CI") != "true":
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	default:
		t.Fatal(err)
	}
}

// Launch is Start for a caller that is no test. Who calls it calls Stop.
func Launch(o Options) (*Server, error) {
	binary, err := vaultBinary()
	if err != nil {
		return nil, err
	}
	o = o.withDefaults()
	// Not the test's own temporary folder: its path carries the test's name, and a plugin's Unix socket below it would pass the
	// 108 bytes a socket's path may have.
	dir, err := os.MkdirTemp("", "vaulttest")
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, binary: binary, dir: dir}
	if err := s.launch(); err != nil {
		log := tail(s.ServerLog(), 20)
		return nil, errors.Join(fmt.Errorf("%w\nthe end of Vault's log:\n%s", err, log), s.Stop())
	}
	return s, nil
}

func (s *Server) launch() error {
	for _, dir := range []string{s.pluginDir(), s.StorageDir(), s.tempDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := s.identify(); err != nil {
		return err
	}
	if err := s.spawnOnFreePorts(); err != nil {
		return err
	}
	if err := s.initialise(); err != nil {
		return err
	}
	if err := s.unseal(); err != nil {
		return err
	}
	if err := s.enableAudit(); err != nil {
		return err
	}
	if s.options.NoPlugin {
		return nil
	}
	return s.mountPlugin()
}

// spawnOnFreePorts tries again when another process takes a port between our look and Vault's bind.
func (s *Server) spawnOnFreePorts() error {
	for attempt := 1; ; attempt++ {
		var err error
		if s.address, err = freeAddress(); err != nil {
			return err
		}
		if s.cluster, err = freeAddress(); err != nil {
			return err
		}
		if err = os.WriteFile(s.configFile(), []byte(s.config()), 0o600); err != nil {
			return err
		}
		err = s.spawn()
		if err == nil || attempt == 3 || !strings.Contains(s.ServerLog(), "address already in use") {
			return err
		}
	}
}

func (s *Server) initialise() error {
	answer, err := s.Client().Sys().Init(&api.InitRequest{SecretShares: 1, SecretThreshold: 1})
	if err != nil {
		return fmt.Errorf("initialise Vault: %w", err)
	}
	s.unsealKey, s.rootToken = answer.KeysB64[0], answer.RootToken
	return nil
}

// unseal returns once the server is the active node and answers as such.
func (s *Server) unseal() error {
	if _, err := s.Client().Sys().Unseal(s.unsealKey); err != nil {
		return fmt.Errorf("unseal Vault: %w", err)
	}
	return s.waitActive()
}

func (s *Server) waitActive() error {
	return s.poll(activeTimeout, "Vault to become active", func(ctx context.Context) error {
		health, err := s.Client().Sys().HealthWithContext(ctx)
		switch {
		case err != nil:
			return err
		case health.Sealed || health.Standby:
			return fmt.Errorf("sealed %t, standby %t", health.Sealed, health.Standby)
		}
		// An active node still answers 503 while it sets up its mounts.
		_, err = s.Client().Sys().ListMountsWithContext(ctx)
		return err
	})
}

func (s *Server) enableAudit() error {
	return s.Client().Sys().EnableAuditWithOptions("file", &api.EnableAuditOptions{
		Type:    "file",
		Options: map[string]string{"file_path": s.auditFile()},
	})
}

// Stop ends Vault and removes its folder. It fails when the plugin reported a data race.
func (s *Server) Stop() error {
	if s.stopped {
		return nil
	}
	s.stopped = true
	err := s.process.terminate()
	s.killPlugins()
	if log := s.ServerLog(); strings.Contains(log, "WARNING: DATA RACE") {
		err = errors.Join(err, fmt.Errorf("the race detector reported, in Vault's log:\n%s", around(log, "WARNING: DATA RACE", 60)))
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// Client returns a new client with the root token. It does not retry, so that a test sees every answer.
func (s *Server) Client() *api.Client { return s.client(s.rootToken) }

func (s *Server) client(token string) *api.Client {
	config := api.DefaultConfig()
	// The environment of a developer may name another Vault.
	config.Error, config.AgentAddress, config.Address = nil, "", s.Address()
	config.MaxRetries = 0
	client, err := s.trusting(config)
	if err != nil {
		panic("vaulttest: " + err.Error()) //nolint:forbidigo // Only a malformed address or certificate fails, and both are ours.
	}
	client.SetToken(token)
	client.ClearNamespace()
	return client
}

// trusting makes a client of Vault that trusts the certificate authority of this server and no other.
func (s *Server) trusting(config *api.Config) (*api.Client, error) {
	if !s.options.PlainHTTP {
		if err := config.ConfigureTLS(&api.TLSConfig{CACertBytes: s.authority, TLSServerName: ServerName}); err != nil {
			return nil, err
		}
	}
	return api.NewClient(config)
}

// ClientWithPolicy returns a client whose new token has just the policy: not even the default one.
func (s *Server) ClientWithPolicy(t testing.TB, hcl string) *api.Client {
	t.Helper()
	root := s.Client()
	name := fmt.Sprintf("vaulttest-%d", time.Now().UnixNano())
	must(t, root.Sys().PutPolicy(name, hcl))
	secret, err := root.Auth().Token().Create(&api.TokenCreateRequest{
		Policies: []string{name}, NoDefaultPolicy: true, NoParent: true, TTL: "1h",
	})
	must(t, err)
	return s.client(secret.Auth.ClientToken)
}

// Address is the URL of the API.
func (s *Server) Address() string {
	if s.options.PlainHTTP {
		return "http://" + s.address
	}
	return "https://" + s.address
}

// RootToken is the token of Client.
func (s *Server) RootToken() string { return s.rootToken }

// UnsealKey is the one key that unseals.
func (s *Server) UnsealKey() string { return s.unsealKey }

// ServerLog is all that Vault has logged, the plugin's log lines among it, over all its restarts. A line of the plugin may follow
// the answer it belongs to by a moment.
func (s *Server) ServerLog() string { return contents(s.logFile()) }

// AuditLog is what the file audit device has written: a line per request and per answer, there before the client has the answer.
func (s *Server) AuditLog() string { return contents(s.auditFile()) }

// StorageDir is where a Raft server keeps its physical storage.
func (s *Server) StorageDir() string { return filepath.Join(s.dir, "storage") }

// MountAccessor and MountUUID identify the plugin's mount.
func (s *Server) MountAccessor() string { return s.mount.Accessor }

// MountUUID is the folder of the mount in Vault's storage, below logical/.
func (s *Server) MountUUID() string { return s.mount.UUID }

func (s *Server) logFile() string    { return filepath.Join(s.dir, "vault.log") }
func (s *Server) auditFile() string  { return filepath.Join(s.dir, "audit.log") }
func (s *Server) configFile() string { return filepath.Join(s.dir, "vault.hcl") }
func (s *Server) pluginDir() string  { return filepath.Join(s.dir, "plugins") }
func (s *Server) tempDir() string    { return filepath.Join(s.dir, "tmp") }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
