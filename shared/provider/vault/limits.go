package vault

import "regexp"

const (
	// maxEntry is in bytes. Integrated storage accepts entries of up to 1 MiB (max_entry_size), and
	// a listener accepts JSON strings of the same size (max_json_string_value_length):
	// developer.hashicorp.com/vault/docs/internals/limits and .../configuration/listener/tcp, read
	// 2026-11. KV stores a secret with all its fields in one entry and adds names, times and the
	// author, for which 2 KiB are reserved. A character that JSON escapes counts with all its
	// bytes, so Vault may reject a value of many quotes below this limit.
	maxEntry = 1<<20 - 2<<10

	// maxFields is the maximum number of fields of a JSON object in a request:
	// max_json_object_entry_count on the same page.
	maxFields = 10_000

	// maxName is in bytes. Integrated storage accepts keys of up to 32 KiB, Consul of up to 512
	// bytes including the path before the name: same page, "Path length".
	maxName = 256

	// maxPath is in bytes, for the same reason.
	maxPath = 512

	// batch limits the number of changes whose outcome is unknown after a crash. A bundle makes so
	// many changes in one version. This limit is our own; Vault has none.
	batch = 1000

	// concurrency is the number of parallel requests. It is our own choice: one CPU of a Vault
	// serves as many without delaying other clients.
	concurrency = 8

	// maxRereads is the maximum number of times a secret is read again because others wrote it in
	// the meantime.
	maxRereads = 12
)

// legalName is stricter than Vault, which accepts nearly everything except `..` and control
// characters. It allows names that are also valid for the environment variables and files that a KV
// secret is usually written to.
var legalName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

const nameRule = "letters, digits, '_', '-', and single '.' between them"
