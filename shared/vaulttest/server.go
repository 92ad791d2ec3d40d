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

// ErrNoVault means that there is no Vault binary to test with.
var ErrNoVault = errors.New("no Vault binary: run `make vault` (6 to 9 minutes on two cores, once), or set VAULT_BINARY")

// Time limits for a server to respond, to become active, and to stop. Usual times are one second,
// two seconds and half a second. The limits are much higher, because a busy machine with the race
// detector must not fail a test.
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

// Start runs a server until the test ends. Without a Vault binary it skips the test, or fails it if
// CI=true.
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

// require ends a test that has no server: the test is skipped without a Vault binary, and fails
// otherwise.
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

// Launch is Start for a caller that is no test. The caller must call Stop.
func Launch(o Options) (*Server, error) {
	binary, err := vaultBinary()
	if err != nil {
		return nil, err
	}
	o = o.withDefaults()
	// The test's own temporary folder has the test's name in its path. A plugin's Unix socket in it
	// could exceed the 108 bytes that the path of a socket may have.
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

// spawnOnFreePorts starts Vault on two free ports. It tries again if another process takes a port
// before Vault does.
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
	initialised, err := s.Client().Sys().Init(&api.InitRequest{SecretShares: 1, SecretThreshold: 1})
	if err != nil {
		return fmt.Errorf("initialise Vault: %w", err)
	}
	s.unsealKey, s.rootToken = initialised.KeysB64[0], initialised.RootToken
	return nil
}

// unseal unseals the server and waits until it is active.
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
		// An active node still responds with status 503 while it sets up its mounts.
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

// Stop ends Vault and removes its folder. It returns an error if the plugin has reported a data
// race.
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

// Client returns a new client with the root token. The client does not retry, so that a test sees
// every response.
func (s *Server) Client() *api.Client { return s.client(s.rootToken) }

func (s *Server) client(token string) *api.Client {
	config := api.DefaultConfig()
	// A developer's environment may name another Vault.
	config.Error, config.AgentAddress, config.Address = nil, "", s.Address()
	config.MaxRetries = 0
	client, err := s.trusting(config)
	if err != nil {
		panic("vaulttest: " + err.Error()) //nolint:forbidigo // It fails only for a malformed address or certificate, and this package makes both.
	}
	client.SetToken(token)
	client.ClearNamespace()
	return client
}

// trusting returns a client of Vault that trusts the certificate authority of this server and no
// other.
func (s *Server) trusting(config *api.Config) (*api.Client, error) {
	if !s.options.PlainHTTP {
		if err := config.ConfigureTLS(&api.TLSConfig{CACertBytes: s.authority, TLSServerName: ServerName}); err != nil {
			return nil, err
		}
	}
	return api.NewClient(config)
}

// ClientWithPolicy returns a client with a new token that has only this policy, without the default
// policy.
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

// Address returns the URL of the API.
func (s *Server) Address() string {
	if s.options.PlainHTTP {
		return "http://" + s.address
	}
	return "https://" + s.address
}

// RootToken returns the token of Client.
func (s *Server) RootToken() string { return s.rootToken }

// UnsealKey returns the unseal key. There is only one.
func (s *Server) UnsealKey() string { return s.unsealKey }

// ServerLog returns the log of Vault over all restarts, including the plugin's lines. A line of the
// plugin may be written a moment after the response that it belongs to.
func (s *Server) ServerLog() string { return contents(s.logFile()) }

// AuditLog returns what the file audit device has written: one line for each request and for each
// response. Vault writes the line before it sends the response.
func (s *Server) AuditLog() string { return contents(s.auditFile()) }

// StorageDir returns the folder of a Raft server's physical storage.
func (s *Server) StorageDir() string { return filepath.Join(s.dir, "storage") }

// MountAccessor returns the accessor of the plugin's mount.
func (s *Server) MountAccessor() string { return s.mount.Accessor }

// MountUUID returns the id of the plugin's mount. Its storage in Vault is logical/<id>/.
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
