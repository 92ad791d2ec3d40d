package vault

import "regexp"

const (
	// maxEntry is in bytes. Integrated storage takes entries of 1 MiB (max_entry_size), and a listener strings of as much in JSON
	// (max_json_string_value_length): developer.hashicorp.com/vault/docs/internals/limits and .../configuration/listener/tcp, read
	// 2026-11. KV keeps a secret with all its fields in one entry, and adds names, times and who wrote it: 2 KiB are left to that.
	// What JSON writes with more than one byte counts as much, so a value of many quotes may be refused below it.
	maxEntry = 1<<20 - 2<<10

	// maxFields is how many fields a JSON object in a request may have: max_json_object_entry_count of the same page.
	maxFields = 10_000

	// maxName is in bytes. Integrated storage takes keys of 32 KiB, Consul of 512 bytes with all that stands before the name: the same
	// page, "Path length".
	maxName = 256

	// maxPath is in bytes, for the same reason.
	maxPath = 512

	// batch bounds what a crash leaves in doubt, and is what a bundle changes in one version. It is ours; Vault has none.
	batch = 1000

	// concurrency is requests at once. It is ours: as many as one CPU of a Vault serves without others waiting.
	concurrency = 8

	// rereads is how often a bundle is read again because somebody else has written it meanwhile.
	rereads = 12
)

// legalName is narrower than Vault's own rule, which takes nearly all but `..` and control characters: it is what the environment
// variables and files that a KV secret ends up in can be named.
var legalName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

const nameRule = "letters, digits, '_', '-', and single '.' between them"
