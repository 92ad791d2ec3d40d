package acceptance_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// Vault adds a leading v to the version of a registration, and rejects a plugin that reports another
// version. `make build VERSION=0.4.0` used to build such a plugin.
func TestMakeBuildsAPluginThatRegisters(t *testing.T) {
	vault.Server(t) // skips the test where Vault is missing
	dir := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("make", append([]string{"--no-print-directory", "PLUGIN=" + filepath.Join(dir, "plugin"), "PROVIDER=" + filepath.Join(dir, "provider")}, args...)...)
		cmd.Dir = filepath.Join("..", "..")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("make %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	if with, without := run("-n", "build", "VERSION=v0.4.0"), run("-n", "build", "VERSION=0.4.0"); with != without {
		t.Errorf("VERSION=v0.4.0 runs\n%s\nbut VERSION=0.4.0 runs\n%s", with, without)
	}
	run("build", "VERSION=0.4.0")
	for name, version := range map[string]string{"registered with a version": "v0.4.0", "registered without a version": ""} {
		t.Run(name, func(t *testing.T) {
			s := vaulttest.Start(t, vaulttest.Options{PluginBinary: filepath.Join(dir, "plugin"), PluginVersion: version})
			expect(t, "info", root(t, s).read("info"), data{"version": "v0.4.0", "healthy": true})
			mount, err := s.Client().Sys().GetMount(vaulttest.MountPath)
			if err != nil || mount.RunningVersion != "v0.4.0" {
				t.Errorf("the mount runs %+v (%v)", mount, err)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "provider")); err != nil {
		t.Error(err)
	}
}
