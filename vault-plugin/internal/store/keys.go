package store

import "strconv"

// Every storage key of the engine is built in this file. The keys are a contract
// (testdata/layout.golden). They name parents by incarnation id. A name that is created a second
// time therefore never sees what a sweep has left of its predecessor. Ids are lower-case hex and
// names have passed package naming. Neither contains a '/', so no two places share a key.
const (
	schemaKey = "core/schema"
	masterKey = "core/master"
	configKey = "core/config"

	workspacePrefix   = "ws/"
	keysPrefix        = "keys/"
	projectPrefix     = "proj/"
	environmentPrefix = "env/"
	headPrefix        = "sec/"
	versionPrefix     = "ver/"
	logPrefix         = "log/"
	tombstonePrefix   = "tomb/"
	integrationPrefix = "int/"
	credentialPrefix  = "cred/"
	syncPrefix        = "sync/"
	syncStatePrefix   = "syncstate/"
	ledgerPrefix      = "ledger/"
	undonePrefix      = "undone/"
)

// reserved lists the keys and prefixes that are kept free for future records. Nothing is stored
// under them yet. SealWrapped already declares the sealed ones among them, so that a later version
// finds the declaration in force.
const (
	rolePrefix      = "role/"          // <integration_id>/<role>: a short-lived credential that may be minted
	leasePrefix     = "lease/"         // <integration_id>/<lease_id>: a minted credential
	rotationPrefix  = "rot/"           // <integration_id>: the journal of a credential's rotation
	publishedPrefix = "pub/"           // <env_id>/<provider>/<name>: a secret published elsewhere
	tokenPrefix     = "tok/"           // <env_id>/<name>: an access token
	tokenIDPrefix   = "tokid/"         // <id>: the location of an access token
	webhookPrefix   = "hook/"          // <ws_id>/<name>: a webhook
	activityPrefix  = "act/"           // <ws_id, or engine>/<segment>: the activity log
	heartbeatKey    = "core/heartbeat" // when the engine last reported that it is running
	fenceKey        = "core/fence"     // which node may send requests to providers
)

var reserved = []string{
	rolePrefix, leasePrefix, rotationPrefix, publishedPrefix, tokenPrefix, tokenIDPrefix, webhookPrefix, activityPrefix, heartbeatKey, fenceKey,
}

func workspaceKey(name string) string      { return workspacePrefix + name }
func keysKey(ws ID) string                 { return keysPrefix + string(ws) }
func projectKey(ws ID, name string) string { return projectPrefix + string(ws) + "/" + name }
func environmentKey(project ID, name string) string {
	return environmentPrefix + string(project) + "/" + name
}
func headKey(env ID, name string) string { return headPrefix + string(env) + "/" + name }

func versionKey(env ID, name string, n uint64) string {
	return versionPrefix + string(env) + "/" + name + "/" + strconv.FormatUint(n, 10)
}

func tombstoneKey(env ID, name string) string { return tombstonePrefix + string(env) + "/" + name }

func logKey(env ID, txn ID, chunk int) string {
	return logPrefix + string(env) + "/" + string(txn) + "/" + strconv.Itoa(chunk)
}

func integrationKey(ws ID, provider, name string) string {
	return integrationPrefix + string(ws) + "/" + provider + "/" + name
}

func credentialKey(integration ID) string { return credentialPrefix + string(integration) }

func syncKey(env ID, destination, name string) string {
	return syncPrefix + string(env) + "/" + destination + "/" + name
}

func syncStateKey(sync ID) string { return syncStatePrefix + string(sync) }

func ledgerKey(sync ID, chunk int) string {
	return ledgerPrefix + string(sync) + "/" + strconv.Itoa(chunk)
}

// HeadPlace returns where the head of a secret is stored, for errors.
func HeadPlace(env ID, name string) string { return headKey(env, name) }

// TombstonePlace returns where the tombstone of a secret is stored, for errors.
func TombstonePlace(env ID, name string) string { return tombstoneKey(env, name) }

// SecretPlaces returns where a version of a secret may be stored, for errors.
func SecretPlaces(env ID, name string, version uint64) string {
	return headKey(env, name) + " or " + versionKey(env, name, version)
}

func undoneKey(id ID) string { return undonePrefix + string(id) }

// SealWrapped lists the prefixes of the key material, and of the sealed records other than secrets.
// Vault Enterprise wraps entries under them with the seal's own key. The community edition ignores
// the declaration.
func SealWrapped() []string {
	return []string{masterKey, keysPrefix, credentialPrefix, ledgerPrefix, leasePrefix, rotationPrefix, webhookPrefix}
}
