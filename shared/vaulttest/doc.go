// Package vaulttest runs the pinned Vault for tests: a real server on the loopback interface with the plugin registered and
// mounted, an audit device, a trace log, and raw access to storage. It owns the life of that server and nothing else: it knows
// no path of the engine, and is imported only by tests and by tools/bench.
//
// One server per test package is enough for nearly everything:
//
//	var vault = vaulttest.Shared(vaulttest.Options{})
//
//	func TestMain(m *testing.M) { os.Exit(vault.Run(m)) }
//
//	func TestRead(t *testing.T) {
//		client := vault.Server(t).Client()
//		...
//	}
//
// The server has a certificate of an authority that it alone has. Its own clients trust it; others are given Server.CACertFile,
// Server.CACertPEM or Server.ClientEnv. Options.PlainHTTP starts one without TLS.
//
// A test that kills, seals or restarts takes its own with Start. The binary is $VAULT_BINARY, or bin/vault of the checkout as
// `make vault` leaves it; it is never looked for on PATH, because a test must not change its meaning with the machine. Without
// one a test is skipped, loudly, or fails when CI=true.
//
// The plugin is built once per test process, with the race detector when the test has it, or is $STASHBASE_PLUGIN_BINARY of
// version $STASHBASE_PLUGIN_VERSION. A data race reported by the plugin fails the test that stops the server.
package vaulttest
