package main

// target is a package that gets faults, and the suites that cover it, the fastest first.
type target struct {
	path   string
	suites []suite
}

const (
	internal = "vault-plugin/internal/"
	backend  = internal + "backend"
)

// The suites leave out tests that start other programs, and tests of the sources.
var targets = []target{
	{"shared/keyring", []suite{{path: "shared/keyring", skip: "TestUnderFIPS|TestExportedSurface|InOtherLanguages|TestMisuse|TestOnlyPrimitives|TestSourceFiles|AllocateLittle"}}},
	{internal + "keys", []suite{
		{path: internal + "keys"},
		{path: internal + "rewrap"},
		{path: backend, run: "Key|Lock|Rotat|Master|Minimum|Shred|Workspace|Cache|Damage|Lost"},
	}},
	{internal + "rewrap", []suite{{path: internal + "rewrap"}, {path: backend, run: "Key|Lock|Rotat|Rewrap|Minimum"}}},
	{internal + "workspaces", []suite{
		{path: internal + "workspaces"},
		{path: backend, run: "Workspace|Project|Environment|Shared|Base|Reference|Lock|Tree|Lost|Damage|Delet|Limit"},
	}},
	{internal + "secrets", []suite{{path: internal + "secrets"}, {path: backend}}},
	{internal + "syncrun", []suite{{path: internal + "syncrun"}, {path: backend, run: "Sync|Plan|Shelf|Destination|Run"}}},
	{internal + "ledger", []suite{{path: internal + "ledger"}, {path: backend, run: "Sync|Ledger|Rotat|Key"}}},
	{internal + "nametemplate", []suite{{path: internal + "nametemplate"}}},
	{"shared/outbound", []suite{{path: "shared/outbound"}}},
	{"terraform-provider/internal/connect", []suite{{path: "terraform-provider/internal/connect"}}},
}
