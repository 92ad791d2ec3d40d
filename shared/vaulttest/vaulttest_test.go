package vaulttest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

var vault = vaulttest.Shared(own(vaulttest.Dev))

func TestMain(m *testing.M) { os.Exit(vault.Run(m)) }

// own returns options with the plugin of this test, so that the harness is tested without the
// engine.
func own(storage vaulttest.Storage) vaulttest.Options {
	return vaulttest.Options{
		Storage: storage, PluginName: "vault-plugin-test", PluginPackage: "./shared/vaulttest/testdata/plugin", MountPath: "test",
		Env: []string{"VAULTTEST_PLANTED=yes"},
	}
}

func TestPluginIsMountedWithItsVersion(t *testing.T) {
	s := vault.Server(t)
	mount, err := s.Client().Sys().GetMount("test")
	if err != nil {
		t.Fatal(err)
	}
	if mount.UUID != s.MountUUID() || mount.Accessor != s.MountAccessor() {
		t.Errorf("mount is %s %s, not %s %s", mount.UUID, mount.Accessor, s.MountUUID(), s.MountAccessor())
	}
	if mount.RunningVersion != "v0.1.0-test" || mount.PluginVersion != "v0.1.0-test" {
		t.Errorf("running version %q, plugin version %q", mount.RunningVersion, mount.PluginVersion)
	}
}

func TestDefaultsMountTheEngine(t *testing.T) {
	s := vaulttest.Start(t, vaulttest.Options{})
	mount, err := s.Client().Sys().GetMount("stashbase")
	if err != nil {
		t.Fatal(err)
	}
	if mount.Type != vaulttest.PluginName || mount.RunningVersion == "" || mount.PluginVersion != mount.RunningVersion {
		t.Errorf("type %q, running version %q, plugin version %q", mount.Type, mount.RunningVersion, mount.PluginVersion)
	}
}

func TestPluginSeesOnlyTheEnvironmentItWasGiven(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "of the developer")
	s := vault.Server(t)
	write(t, s.Client(), "test/env", "x")
	environment := fmt.Sprint(read(t, s.Client(), "test/env")["environment"])
	if !strings.Contains(environment, "VAULTTEST_PLANTED=yes") {
		t.Error("the plugin lacks what Options.Env gave it")
	}
	for _, name := range []string{"AWS_", "PATH=", "GOPROXY"} {
		if strings.Contains(environment, name) {
			t.Errorf("the plugin sees %s of the machine", name)
		}
	}
}

func TestRawStorageIsByteForByte(t *testing.T) {
	s := vault.Server(t)
	// Vault recognises compressed entries by a first byte 'G', 'S', 'L' or 'Z'.
	for _, value := range [][]byte{{}, {0}, {0xff, 0, 0xfe}, []byte("G\x1f\x8b"), []byte("S"), []byte("L"), []byte("Z\x00\x01"), bytes.Repeat([]byte{7}, 400<<10)} {
		for range 2 { // the first write creates the entry and the second updates it, which Vault does in different ways
			s.RawWrite(t, "raw/a", value)
			if got := s.RawRead(t, "raw/a"); !bytes.Equal(got, value) {
				t.Errorf("wrote %d bytes %.8x, read %d bytes %.8x", len(value), value, len(got), got)
			}
		}
	}
	s.RawWrite(t, "raw/deep/er/b", []byte("b"))
	if got, want := s.RawList(t, "raw/"), []string{"raw/a", "raw/deep/er/b"}; !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	s.RawDelete(t, "raw/a")
	if got := s.RawRead(t, "raw/a"); got != nil {
		t.Errorf("deleted, yet read %x", got)
	}
}

func TestReloadMakesCachesCold(t *testing.T) {
	s := vault.Server(t)
	write(t, s.Client(), "test/cold", "before")
	first := read(t, s.Client(), "test/cold")
	s.RawWrite(t, "cold", []byte("after"))
	if warm := read(t, s.Client(), "test/cold"); warm["value"] != "before" {
		t.Fatalf("read %v: the control has no cache, so the test shows nothing", warm["value"])
	}
	s.ReloadPlugin(t)
	second := read(t, s.Client(), "test/cold")
	if second["value"] != "after" || second["instance"] == first["instance"] {
		t.Errorf("read %v after the reload, from instance %v then %v", second["value"], first["instance"], second["instance"])
	}
}

func TestKilledPluginIsReplaced(t *testing.T) {
	s := vault.Server(t)
	write(t, s.Client(), "test/killed", "kept")
	first := read(t, s.Client(), "test/killed")
	s.KillPlugin(t)
	second := read(t, s.Client(), "test/killed")
	if fmt.Sprint(second["pid"]) == fmt.Sprint(first["pid"]) || second["value"] != "kept" {
		t.Errorf("process %v then %v, value %v", first["pid"], second["pid"], second["value"])
	}
}

func TestPolicyIsAllTheTokenHas(t *testing.T) {
	s := vault.Server(t)
	write(t, s.Client(), "test/allowed", "x")
	c := s.ClientWithPolicy(t, `path "test/allowed" { capabilities = ["read"] }`)
	read(t, c, "test/allowed")
	for _, path := range []string{"test/other", "auth/token/lookup-self"} {
		_, err := c.Logical().Read(path)
		var refused *api.ResponseError
		if !errors.As(err, &refused) || refused.StatusCode != 403 {
			t.Errorf("%s: %v, want 403", path, err)
		}
	}
}

func TestLogsAreKept(t *testing.T) {
	s := vault.Server(t)
	write(t, s.Client(), "test/logged", "x")
	read(t, s.Client(), "test/logged")
	if !strings.Contains(s.AuditLog(), `"test/logged"`) {
		t.Error("the audit log lacks the request")
	}
	s.Eventually(t, 10*time.Second, "the plugin's log line", func(context.Context) error {
		if !strings.Contains(s.ServerLog(), "path=logged") {
			return errors.New("the log lacks it")
		}
		return nil
	})
}

func TestSealedVaultOpensAgain(t *testing.T) {
	s := vaulttest.Start(t, own(vaulttest.Dev))
	write(t, s.Client(), "test/sealed", "x")
	s.Seal(t)
	if _, err := s.Client().Logical().Read("test/sealed"); err == nil {
		t.Error("a sealed Vault returned a value")
	}
	s.Unseal(t)
	if got := read(t, s.Client(), "test/sealed"); got["value"] != "x" {
		t.Errorf("read %v", got["value"])
	}
}

func TestRaftSurvives(t *testing.T) {
	s := vaulttest.Start(t, own(vaulttest.Raft))
	write(t, s.Client(), "test/a", "x")
	survives := func(what string) {
		t.Helper()
		if got := read(t, s.Client(), "test/a"); got["value"] != "x" {
			t.Errorf("after %s read %v", what, got["value"])
		}
	}
	s.Restart(t)
	survives("SIGKILL")
	s.StepDown(t)
	survives("stepping down")
	if files, err := os.ReadDir(s.StorageDir()); err != nil || len(files) == 0 {
		t.Errorf("the physical storage has no files (%v)", err)
	}
}

// launch starts a server that the test stops itself. Without a Vault binary, the test is skipped.
// In CI, it fails.
func launch(t *testing.T) *vaulttest.Server {
	t.Helper()
	s, err := vaulttest.Launch(own(vaulttest.Dev))
	switch {
	case err == nil:
	case errors.Is(err, vaulttest.ErrNoVault) && os.Getenv("CI") != "true":
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	default:
		t.Fatal(err)
	}
	return s
}

// A Vault that is left behind keeps its port and its memory.
func TestStopLeavesNothing(t *testing.T) {
	s := launch(t)
	dir := filepath.Dir(s.StorageDir())
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there (%v)", dir, err)
	}
	if _, err := s.Client().Sys().Health(); err == nil {
		t.Error("Vault still responds")
	}
	processes, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range processes {
		if exe, err := os.Readlink(link); err == nil && strings.HasPrefix(exe, dir) {
			t.Errorf("%s still runs", exe)
		}
	}
}

func TestTLSIsTheDefault(t *testing.T) {
	s := vault.Server(t)
	if !strings.HasPrefix(s.Address(), "https://127.0.0.1:") || s.CACertPEM() == "" {
		t.Fatalf("the address is %s", s.Address())
	}
	// A client without the authority of this server does not connect.
	for name, config := range map[string]api.TLSConfig{
		"of the system":     {},
		"of another server": {CACertBytes: []byte(vaulttest.Start(t, own(vaulttest.Dev)).CACertPEM())},
	} {
		if _, err := dial(t, s.Address(), config).Sys().Health(); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("with the authorities %s: %v", name, err)
		}
	}
	for name, config := range map[string]api.TLSConfig{
		"by its address": {CACert: s.CACertFile()},
		"by its name":    {CACert: s.CACertFile(), TLSServerName: vaulttest.ServerName},
	} {
		if _, err := dial(t, s.Address(), config).Sys().Health(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if env := s.ClientEnv("token"); !slices.Contains(env, "VAULT_CACERT="+s.CACertFile()) {
		t.Errorf("the environment is %q", env)
	}
}

func TestPlainHTTPIsAnOption(t *testing.T) {
	o := own(vaulttest.Dev)
	o.PlainHTTP = true
	s := vaulttest.Start(t, o)
	write(t, s.Client(), "test/plain", "x")
	if !strings.HasPrefix(s.Address(), "http://") || s.CACertFile() != "" || s.CACertPEM() != "" || len(s.ClientEnv("token")) != 2 {
		t.Errorf("address %s, environment %q", s.Address(), s.ClientEnv("token"))
	}
}

// dial returns a client with the given TLS settings.
func dial(t *testing.T, address string, tls api.TLSConfig) *api.Client {
	t.Helper()
	config := api.DefaultConfig()
	config.Address, config.AgentAddress, config.MaxRetries = address, "", 0
	if err := config.ConfigureTLS(&tls); err != nil {
		t.Fatal(err)
	}
	c, err := api.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAMissingBinaryIsReported(t *testing.T) {
	t.Setenv("VAULT_BINARY", filepath.Join(t.TempDir(), "none"))
	_, err := vaulttest.Launch(own(vaulttest.Dev))
	if !errors.Is(err, vaulttest.ErrNoVault) || !strings.Contains(err.Error(), "make vault") {
		t.Errorf("error is %v", err)
	}
}

func write(t *testing.T, c *api.Client, path, value string) {
	t.Helper()
	if _, err := c.Logical().Write(path, map[string]any{"value": value}); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, c *api.Client, path string) map[string]any {
	t.Helper()
	secret, err := c.Logical().Read(path)
	if err != nil || secret == nil {
		t.Fatalf("read %s: %v, %v", path, secret, err)
	}
	return secret.Data
}
