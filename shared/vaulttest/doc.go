// Package vaulttest runs the pinned Vault for tests. It starts a real server on the loopback
// interface with the plugin registered and mounted, an audit device and a trace log, and it gives
// raw access to storage. The package knows no path of the engine. Only tests and tools/bench import
// it.
//
// Most test packages share one server:
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
// A test that kills, seals or restarts Vault starts its own server with Start.
//
// Each server has TLS, with a certificate authority of its own that is made at run time. Clients
// from Server.Client trust it. Other clients get Server.CACertFile, Server.CACertPEM or
// Server.ClientEnv. Options.PlainHTTP starts a server without TLS.
//
// The Vault binary is $VAULT_BINARY, or bin/vault of the checkout, where `make vault` puts it. PATH
// is not searched: the result of a test must not depend on what is installed. Without a binary a
// test is skipped with a message, or fails if CI=true.
//
// The plugin is $STASHBASE_PLUGIN_BINARY of version $STASHBASE_PLUGIN_VERSION. Without it, the
// plugin is built once per test process, with the race detector if the test has it. When the plugin
// reports a data race, the test that stops the server fails.
package vaulttest
