package policies

import "slices"

// The lists of names follow the same pattern in every category: a path that is only listed ends in a
// slash, and a path that is also read has "list" in its one rule, because Vault applies the rule
// without the slash first. A role can list the categories that its holder reads.

// roles returns all roles. The rules name each path, so that a new path of the engine does not
// widen a policy that is in use. The change that adds a path adds it to the roles.
//
// Paths that only act (import, undelete, rotate, encrypt) need only "update", the capability that
// Vault requires for a write to them.
func roles() []Role {
	return []Role{operator(), workspaceAdmin(), developer(), reader(), workload(), integrationAdmin(), syncOperator(), keyCustodian(), cryptoService()}
}

// pluginName is the name under which the plugin is registered.
const pluginName = "vault-plugin-secrets-stashbase"

// operator has no right below a workspace. The list of a category returns only the names of
// workspaces, so one rule covers all categories.
func operator() Role {
	return Role{
		Name:        "operator",
		Description: "registers the plugin, manages the mount and its workspaces; cannot read secrets. Can delete a workspace with everything in it.",
		rules: []rule{
			{"Read version, counts and health.", "info", []string{"read"}},
			{"Manage the defaults and limits of the mount.", "config", []string{"read", "update", "patch"}},
			{"Read the versions of the master key.", "master-key", []string{"read", "list"}},
			{"Rotate the master key.", "master-key/rotate", []string{"update"}},
			{"List the workspaces.", "workspaces/", []string{"list"}},
			{"Manage each workspace.", "workspaces/+", []string{"create", "read", "update", "patch", "delete"}},
			{"Lock a workspace.", "workspaces/+/lock", []string{"update"}},
			{"Unlock a workspace.", "workspaces/+/unlock", []string{"update"}},
			{"List the roles.", "policies/", []string{"list"}},
			{"Read the policy of a role.", "policies/+", []string{"read"}},
			{"List the categories.", "", []string{"list"}},
			{"List the workspaces in each category.", "+/", []string{"list"}},
			{"Find the folder of plugins.", "/sys/config/state/sanitized", []string{"read"}},
			{"Register the plugin.", "/sys/plugins/catalog/secret/" + pluginName, []string{"read", "update", "delete", "sudo"}},
			{"Reload the plugin.", "/sys/plugins/reload/secret/" + pluginName, []string{"update"}},
			{"Mount the plugin; only an administrator of Vault unmounts it.", "/sys/mounts/{mount}", []string{"read", "update"}},
			{"Tune the mount, for example to a new version of the plugin.", "/sys/mounts/{mount}/tune", []string{"read", "update"}},
		},
	}
}

func workspaceAdmin() Role {
	all := slices.Clip([]string{"create", "read", "update", "patch", "delete"})
	return Role{
		Name:        "workspace-admin",
		Description: "manages everything inside one workspace, except encryption for services; reads the workspace itself and the state of its keys.",
		Required:    []string{workspace},
		rules: []rule{
			{"Read the workspace; the operator creates, changes, locks and deletes it.", "workspaces/{workspace}", []string{"read"}},
			{"Read the state of its keys; the key custodian rotates and retires them.", "keys/{workspace}", []string{"read", "list"}},
			{"List its projects.", "projects/{workspace}/", []string{"list"}},
			{"Manage each project.", "projects/{workspace}/+", all},
			{"List the projects that contain environments.", "environments/{workspace}/", []string{"list"}},
			{"List the environments of a project.", "environments/{workspace}/+/", []string{"list"}},
			{"Manage each environment.", "environments/{workspace}/+/+", all},
			{"List the projects that contain secrets.", "secrets/{workspace}/", []string{"list"}},
			{"List the environments that contain secrets.", "secrets/{workspace}/+/", []string{"list"}},
			{"List the names of secrets.", "secrets/{workspace}/+/+/", []string{"list"}},
			{"Manage each secret.", "secrets/{workspace}/+/+/+", all},
			{"List the projects with metadata.", "metadata/{workspace}/", []string{"list"}},
			{"List the environments with metadata.", "metadata/{workspace}/+/", []string{"list"}},
			{"Read the metadata of all secrets of an environment, without values.", "metadata/{workspace}/+/+", []string{"read", "list"}},
			{"Manage the history of each secret; delete removes all versions.", "metadata/{workspace}/+/+/+", append(all, "list")},
			{"Undelete versions of a secret.", "undelete/{workspace}/+/+/+", []string{"update"}},
			{"Destroy versions of a secret.", "destroy/{workspace}/+/+/+", []string{"update"}},
			{"Roll back a secret to an older version.", "rollback/{workspace}/+/+/+", []string{"update"}},
			{"Import many secrets at once.", "import/{workspace}/+/+", []string{"update"}},
			{"List the projects that can be loaded.", "load/{workspace}/", []string{"list"}},
			{"List the environments that can be loaded.", "load/{workspace}/+/", []string{"list"}},
			{"Load all values of an environment.", "load/{workspace}/+/+", []string{"read"}},
			{"Render an environment as one document.", "render/{workspace}/+/+", []string{"read"}},
			{"Compare two environments of a project, without values.", "compare/{workspace}/+", []string{"read"}},
			{"List the projects with changelogs.", "changes/{workspace}/", []string{"list"}},
			{"List the environments with changelogs.", "changes/{workspace}/+/", []string{"list"}},
			{"Read the changelog of an environment, without values.", "changes/{workspace}/+/+", []string{"read", "list"}},
			{"Revert an environment to an earlier change.", "revert/{workspace}/+/+", []string{"update"}},
			{"List its integrations.", "integrations/{workspace}/", []string{"list"}},
			{"List the integrations with one provider.", "integrations/{workspace}/+/", []string{"list"}},
			{"Manage each integration; a read never returns its credential.", "integrations/{workspace}/+/+", all},
			{"Verify the credential of an integration at its provider.", "integrations/{workspace}/+/+/verify", []string{"update"}},
			{"Read the state of all syncs and integrations.", "status/{workspace}", []string{"read", "list"}},
			{"List its syncs.", "syncs/{workspace}/", []string{"list"}},
			{"List the environments of a project that contain syncs.", "syncs/{workspace}/+/", []string{"list"}},
			{"List the syncs of an environment.", "syncs/{workspace}/+/+/", []string{"list"}},
			{"List the syncs of an environment to one destination.", "syncs/{workspace}/+/+/+/", []string{"list"}},
			{"Manage each sync.", "syncs/{workspace}/+/+/+/+", all},
			{"Plan a run of the sync as it is stored or as given, without values.", "syncs/{workspace}/+/+/+/+/plan", []string{"read", "update", "list"}},
			{"Run the sync now.", "syncs/{workspace}/+/+/+/+/run", []string{"update"}},
			{"Read the status of the sync, without values.", "syncs/{workspace}/+/+/+/+/status", []string{"read", "list"}},
			{"Adopt entries that others wrote at the destination.", "syncs/{workspace}/+/+/+/+/adopt", []string{"update"}},
			{"Pause the sync.", "syncs/{workspace}/+/+/+/+/pause", []string{"update"}},
			{"Resume the sync.", "syncs/{workspace}/+/+/+/+/resume", []string{"update"}},
			{"List the roles.", "policies/", []string{"list"}},
			{"Read the policy of a role.", "policies/+", []string{"read"}},
		},
	}
}

// developer without an environment covers all environments of the project, production included. To
// exclude production, render one policy per environment. The role has no right to compare: compare
// reports whether values of two environments are equal, and the path of a policy cannot restrict
// which two.
func developer() Role {
	return Role{
		Name:        "developer",
		Description: "reads and writes the secrets of one or all environments of a project; cannot change an environment or remove history.",
		Required:    []string{workspace, project},
		Optional:    []string{environment},
		rules: []rule{
			{"Read the project.", "projects/{workspace}/{project}", []string{"read"}},
			{"List its environments.", "environments/{workspace}/{project}/", []string{"list"}},
			{"Read the environment; the workspace admin changes it.", "environments/{workspace}/{project}/{environment}", []string{"read"}},
			{"List the environments that contain secrets.", "secrets/{workspace}/{project}/", []string{"list"}},
			{"List the names of secrets.", "secrets/{workspace}/{project}/{environment}/", []string{"list"}},
			{"Manage each secret; delete hides the newest version and keeps older versions readable.", "secrets/{workspace}/{project}/{environment}/+", []string{"create", "read", "update", "patch", "delete"}},
			{"List the environments with metadata.", "metadata/{workspace}/{project}/", []string{"list"}},
			{"Read the metadata of all secrets, without values.", "metadata/{workspace}/{project}/{environment}", []string{"read", "list"}},
			{"Read the history and change the settings of each secret; the workspace admin removes history.", "metadata/{workspace}/{project}/{environment}/+", []string{"create", "read", "update", "patch", "list"}},
			{"Undelete versions of a secret; the workspace admin destroys versions.", "undelete/{workspace}/{project}/{environment}/+", []string{"update"}},
			{"Roll back a secret to an older version.", "rollback/{workspace}/{project}/{environment}/+", []string{"update"}},
			{"Import many secrets at once.", "import/{workspace}/{project}/{environment}", []string{"update"}},
			{"List the environments that can be loaded.", "load/{workspace}/{project}/", []string{"list"}},
			{"Load all values of the environment.", "load/{workspace}/{project}/{environment}", []string{"read"}},
			{"Render the environment as one document.", "render/{workspace}/{project}/{environment}", []string{"read"}},
			{"List the environments with changelogs.", "changes/{workspace}/{project}/", []string{"list"}},
			{"Read the changelog of the environment, without values.", "changes/{workspace}/{project}/{environment}", []string{"read", "list"}},
			{"Revert the environment to an earlier change.", "revert/{workspace}/{project}/{environment}", []string{"update"}},
		},
	}
}

func reader() Role {
	return Role{
		Name:        "reader",
		Description: "reads the secrets of one environment, including older versions and history.",
		Required:    []string{workspace, project, environment},
		rules: []rule{
			{"List the names of secrets.", "secrets/{workspace}/{project}/{environment}/", []string{"list"}},
			{"Read each secret.", "secrets/{workspace}/{project}/{environment}/+", []string{"read"}},
			{"Read the metadata of all secrets, without values.", "metadata/{workspace}/{project}/{environment}", []string{"read", "list"}},
			{"Read the history of each secret.", "metadata/{workspace}/{project}/{environment}/+", []string{"read", "list"}},
			{"Load all values of the environment.", "load/{workspace}/{project}/{environment}", []string{"read"}},
			{"Render the environment as one document.", "render/{workspace}/{project}/{environment}", []string{"read"}},
			{"Read the changelog of the environment, without values.", "changes/{workspace}/{project}/{environment}", []string{"read", "list"}},
		},
	}
}

func workload() Role {
	return Role{
		Name:        "workload",
		Description: "loads the values of one environment; has no other right.",
		Required:    []string{workspace, project, environment},
		rules: []rule{
			{"Load all values of the environment.", "load/{workspace}/{project}/{environment}", []string{"read"}},
		},
	}
}

// integrationAdmin reads no secret of an environment and sends none to a destination: the path of a
// sync belongs to its environment. The role decides what an integration may be used for.
func integrationAdmin() Role {
	return Role{
		Name:        "integration-admin",
		Description: "manages the integrations of one workspace and what they may be used for; cannot read secrets.",
		Required:    []string{workspace},
		rules: []rule{
			{"List the integrations.", "integrations/{workspace}/", []string{"list"}},
			{"List the integrations with one provider.", "integrations/{workspace}/+/", []string{"list"}},
			{"Manage each integration; a read never returns its credential.", "integrations/{workspace}/+/+", []string{"create", "read", "update", "patch", "delete"}},
			{"Verify the credential of an integration at its provider.", "integrations/{workspace}/+/+/verify", []string{"update"}},
		},
	}
}

// syncOperator reads no secret and no credential. The role can send an environment to any target
// that an integration allows.
func syncOperator() Role {
	at := "syncs/{workspace}/{project}/{environment}/"
	return Role{
		Name:        "sync-operator",
		Description: "manages the syncs of one or all environments of a project: which secrets go where, through which integration; lists the integrations and syncs of the workspace; cannot read secrets.",
		Required:    []string{workspace, project},
		Optional:    []string{environment},
		rules: []rule{
			{"List the integrations of the workspace, which a sync refers to.", "integrations/{workspace}/", []string{"list"}},
			{"List the syncs of the workspace.", "syncs/{workspace}/", []string{"list"}},
			{"List the syncs.", at, []string{"list"}},
			{"List the syncs to one destination.", at + "+/", []string{"list"}},
			{"Manage each sync.", at + "+/+", []string{"create", "read", "update", "patch", "delete"}},
			{"Plan a run of the sync as it is stored or as given, without values.", at + "+/+/plan", []string{"read", "update", "list"}},
			{"Run the sync now.", at + "+/+/run", []string{"update"}},
			{"Read the status of the sync, without values.", at + "+/+/status", []string{"read", "list"}},
			{"Adopt entries that others wrote at the destination.", at + "+/+/adopt", []string{"update"}},
			{"Pause the sync.", at + "+/+/pause", []string{"update"}},
			{"Resume the sync.", at + "+/+/resume", []string{"update"}},
		},
	}
}

func keyCustodian() Role {
	return Role{
		Name:        "key-custodian",
		Description: "manages the keys of one workspace; cannot read secrets.",
		Required:    []string{workspace},
		rules: []rule{
			{"Read the key versions and the progress of rewraps; set the minimum version and automatic rotation.", "keys/{workspace}", []string{"read", "update", "list"}},
			{"Rotate the key.", "keys/{workspace}/rotate", []string{"update"}},
			{"Rewrap stored data under the newest key version.", "keys/{workspace}/rewrap", []string{"update"}},
			{"Destroy key versions below the minimum.", "keys/{workspace}/trim", []string{"update"}},
		},
	}
}

// cryptoService covers one context. Contexts separate services, and a new context needs no
// creation. A right to all contexts would therefore include the data of future services.
func cryptoService() Role {
	act := []string{"update"}
	return Role{
		Name:        "crypto-service",
		Description: "encrypts, decrypts and computes digests under one context of a workspace; cannot read secrets.",
		Required:    []string{workspace, cryptoContext},
		rules: []rule{
			{"Encrypt; a service that only writes needs only this.", "encrypt/{workspace}/{context}", act},
			{"Decrypt.", "decrypt/{workspace}/{context}", act},
			{"Rewrap ciphertexts under the newest key version.", "rewrap/{workspace}/{context}", act},
			{"Compute digests.", "hmac/{workspace}/{context}", act},
			{"Verify digests.", "verify/{workspace}/{context}", act},
			{"Create data keys, also in plaintext; allowed_parameters can restrict the type.", "datakey/{workspace}/{context}", act},
		},
	}
}
