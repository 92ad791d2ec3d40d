package policies

// roles is every role there is. A path joins it with the feature that brings it: policies name each path, so that an engine
// that learns more does not silently widen a right somebody handed out.
//
// Paths that only act (import, undelete, rotate, encrypt) need "update" alone, for Vault calls a write to them so.
func roles() []Role {
	return []Role{workspaceAdmin(), developer(), reader(), workload(), integrationAdmin(), syncOperator(), keyCustodian(), cryptoService()}
}

func workspaceAdmin() Role {
	all := []string{"create", "read", "update", "patch", "delete"}
	return Role{
		Name:        "workspace-admin",
		Description: "everything inside one workspace but what services encrypt with it; the workspace itself and its keys are only looked at.",
		Required:    []string{workspace},
		rules: []rule{
			{"The workspace: creating, changing, locking and deleting it is the operator's.", "workspaces/{workspace}", []string{"read"}},
			{"The state of its keys: rotating and retiring them is the key custodian's.", "keys/{workspace}", []string{"read"}},
			{"Its projects.", "projects/{workspace}/", []string{"list"}},
			{"Each project.", "projects/{workspace}/+", all},
			{"Their environments.", "environments/{workspace}/+/", []string{"list"}},
			{"Each environment.", "environments/{workspace}/+/+", all},
			{"The names of secrets.", "secrets/{workspace}/+/+/", []string{"list"}},
			{"Each secret.", "secrets/{workspace}/+/+/+", all},
			{"What is known of all secrets of an environment, without values.", "metadata/{workspace}/+/+", []string{"read"}},
			{"The history of each secret; deleting it removes all versions.", "metadata/{workspace}/+/+/+", all},
			{"Deleted versions of a secret back.", "undelete/{workspace}/+/+/+", []string{"update"}},
			{"Versions of a secret gone for good.", "destroy/{workspace}/+/+/+", []string{"update"}},
			{"An old version of a secret as the newest.", "rollback/{workspace}/+/+/+", []string{"update"}},
			{"Many secrets at once.", "import/{workspace}/+/+", []string{"update"}},
			{"All values of an environment.", "load/{workspace}/+/+", []string{"read"}},
			{"The same as one document.", "render/{workspace}/+/+", []string{"read"}},
			{"Where two environments of a project differ, without values.", "compare/{workspace}/+", []string{"read"}},
			{"What was changed in an environment, without values.", "changes/{workspace}/+/+", []string{"read"}},
			{"An environment back to a change.", "revert/{workspace}/+/+", []string{"update"}},
			{"Its integrations with providers.", "integrations/{workspace}/", []string{"list"}},
			{"Those with one provider.", "integrations/{workspace}/+/", []string{"list"}},
			{"Each integration; its credential is never read.", "integrations/{workspace}/+/+", all},
			{"Asking a provider who a credential is.", "integrations/{workspace}/+/+/verify", []string{"update"}},
			{"How everything that goes out stands.", "status/{workspace}", []string{"read"}},
			{"Its syncs.", "syncs/{workspace}/", []string{"list"}},
			{"Those of an environment.", "syncs/{workspace}/+/+/", []string{"list"}},
			{"Each sync.", "syncs/{workspace}/+/+/+/+", all},
			{"What a run would do, of the sync as it is or as it might be, without values.", "syncs/{workspace}/+/+/+/+/plan", []string{"read", "update"}},
			{"Running it now.", "syncs/{workspace}/+/+/+/+/run", []string{"update"}},
			{"How it stands, without values.", "syncs/{workspace}/+/+/+/+/status", []string{"read"}},
			{"Taking over what others have written at the destination.", "syncs/{workspace}/+/+/+/+/adopt", []string{"update"}},
			{"Pausing it.", "syncs/{workspace}/+/+/+/+/pause", []string{"update"}},
			{"Having it go on.", "syncs/{workspace}/+/+/+/+/resume", []string{"update"}},
			{"The roles there are.", "policies/", []string{"list"}},
			{"Policies to hand out.", "policies/+", []string{"read"}},
		},
	}
}

// developer without an environment works in all of the project's, production included: who wants production kept apart names
// the environments, one policy each. It does not compare: that asks two environments whether their values are equal, and the
// names in a policy's path cannot say which two.
func developer() Role {
	return Role{
		Name:        "developer",
		Description: "reads and writes the secrets of one or all environments of a project; changes no environment, removes no history.",
		Required:    []string{workspace, project},
		Optional:    []string{environment},
		rules: []rule{
			{"The project.", "projects/{workspace}/{project}", []string{"read"}},
			{"The names of its environments.", "environments/{workspace}/{project}/", []string{"list"}},
			{"The environment: changing it is the workspace admin's.", "environments/{workspace}/{project}/{environment}", []string{"read"}},
			{"The names of secrets.", "secrets/{workspace}/{project}/{environment}/", []string{"list"}},
			{"Each secret; delete hides the newest version, older ones stay readable.", "secrets/{workspace}/{project}/{environment}/+", []string{"create", "read", "update", "patch", "delete"}},
			{"What is known of all secrets, without values.", "metadata/{workspace}/{project}/{environment}", []string{"read"}},
			{"The history and settings of each secret; removing them is the workspace admin's.", "metadata/{workspace}/{project}/{environment}/+", []string{"create", "read", "update", "patch"}},
			{"Deleted versions of a secret back; destroying them is the workspace admin's.", "undelete/{workspace}/{project}/{environment}/+", []string{"update"}},
			{"An old version of a secret as the newest.", "rollback/{workspace}/{project}/{environment}/+", []string{"update"}},
			{"Many secrets at once.", "import/{workspace}/{project}/{environment}", []string{"update"}},
			{"All values of the environment.", "load/{workspace}/{project}/{environment}", []string{"read"}},
			{"The same as one document.", "render/{workspace}/{project}/{environment}", []string{"read"}},
			{"What was changed in the environment, without values.", "changes/{workspace}/{project}/{environment}", []string{"read"}},
			{"The environment back to a change.", "revert/{workspace}/{project}/{environment}", []string{"update"}},
		},
	}
}

func reader() Role {
	return Role{
		Name:        "reader",
		Description: "reads the secrets of one environment, their versions and history.",
		Required:    []string{workspace, project, environment},
		rules: []rule{
			{"The names of secrets.", "secrets/{workspace}/{project}/{environment}/", []string{"list"}},
			{"Each secret.", "secrets/{workspace}/{project}/{environment}/+", []string{"read"}},
			{"What is known of all secrets, without values.", "metadata/{workspace}/{project}/{environment}", []string{"read"}},
			{"The history of each secret.", "metadata/{workspace}/{project}/{environment}/+", []string{"read"}},
			{"All values of the environment.", "load/{workspace}/{project}/{environment}", []string{"read"}},
			{"The same as one document.", "render/{workspace}/{project}/{environment}", []string{"read"}},
			{"What was changed in the environment, without values.", "changes/{workspace}/{project}/{environment}", []string{"read"}},
		},
	}
}

func workload() Role {
	return Role{
		Name:        "workload",
		Description: "loads the values of one environment, and nothing else.",
		Required:    []string{workspace, project, environment},
		rules: []rule{
			{"All values of the environment.", "load/{workspace}/{project}/{environment}", []string{"read"}},
		},
	}
}

// integrationAdmin sees no secret of an environment, and sends none anywhere: a sync stands in the environment's path, and is its
// owner's. What an integration allows is the integration's to say.
func integrationAdmin() Role {
	return Role{
		Name:        "integration-admin",
		Description: "looks after the integrations of one workspace and what they may be used for; sees no secret.",
		Required:    []string{workspace},
		rules: []rule{
			{"The integrations.", "integrations/{workspace}/", []string{"list"}},
			{"Those with one provider.", "integrations/{workspace}/+/", []string{"list"}},
			{"Each integration; its credential is never read.", "integrations/{workspace}/+/+", []string{"create", "read", "update", "patch", "delete"}},
			{"Asking a provider who a credential is.", "integrations/{workspace}/+/+/verify", []string{"update"}},
		},
	}
}

// syncOperator sees no secret and no credential, and yet sends an environment out: to where integrations allow it.
func syncOperator() Role {
	at := "syncs/{workspace}/{project}/{environment}/"
	return Role{
		Name:        "sync-operator",
		Description: "looks after the syncs of one or all environments of a project: which secrets go where, through which integration; sees no secret.",
		Required:    []string{workspace, project},
		Optional:    []string{environment},
		rules: []rule{
			{"The syncs.", at, []string{"list"}},
			{"Each sync.", at + "+/+", []string{"create", "read", "update", "patch", "delete"}},
			{"What a run would do, of the sync as it is or as it might be, without values.", at + "+/+/plan", []string{"read", "update"}},
			{"Running it now.", at + "+/+/run", []string{"update"}},
			{"How it stands, without values.", at + "+/+/status", []string{"read"}},
			{"Taking over what others have written at the destination.", at + "+/+/adopt", []string{"update"}},
			{"Pausing it.", at + "+/+/pause", []string{"update"}},
			{"Having it go on.", at + "+/+/resume", []string{"update"}},
		},
	}
}

func keyCustodian() Role {
	return Role{
		Name:        "key-custodian",
		Description: "looks after the keys of one workspace; sees no secret.",
		Required:    []string{workspace},
		rules: []rule{
			{"The versions of the key, how far rewrapping is, the oldest version in use and how often a new one is made.", "keys/{workspace}", []string{"read", "update"}},
			{"A new version of the key.", "keys/{workspace}/rotate", []string{"update"}},
			{"Stored data over to the newest version.", "keys/{workspace}/rewrap", []string{"update"}},
			{"Versions below that oldest one gone for good.", "keys/{workspace}/trim", []string{"update"}},
		},
	}
}

// cryptoService is about one context: contexts are there to keep services apart, and a new one needs no creation, so a right to
// all of them would reach data that nobody has thought of yet.
func cryptoService() Role {
	act := []string{"update"}
	return Role{
		Name:        "crypto-service",
		Description: "encrypts, decrypts and makes digests under one context of a workspace; sees no secret.",
		Required:    []string{workspace, cryptoContext},
		rules: []rule{
			{"Encrypting; a service that only writes needs no more.", "encrypt/{workspace}/{context}", act},
			{"Decrypting.", "decrypt/{workspace}/{context}", act},
			{"Ciphertexts over to the newest key version.", "rewrap/{workspace}/{context}", act},
			{"Digests.", "hmac/{workspace}/{context}", act},
			{"Comparing digests.", "verify/{workspace}/{context}", act},
			{"Data keys, also in the clear; allowed_parameters can restrict the type.", "datakey/{workspace}/{context}", act},
		},
	}
}
