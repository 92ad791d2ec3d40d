package keyring

// FingerprintLocation is a value at a destination. RemoteName is its name there.
type FingerprintLocation struct {
	RemoteName string
}

func (at FingerprintLocation) identify(input tuple) tuple { return input.text(at.RemoteName) }

// Fingerprints returns the MAC by which a sync recognises the values it has sent. A value has a
// different fingerprint under another name and in another sync. The errors are ErrTooLarge and
// ErrWiped.
func (w *Workspace) Fingerprints(scope SyncScope) (*MAC[FingerprintLocation], error) {
	return newMAC[FingerprintLocation](w.keys, labelFingerprint, scope.appendTo(w.owner()), labelFingerprint)
}

// AccessTokenLocation is one access token of an environment. The data of the digest is the whole
// token.
type AccessTokenLocation struct {
	Environment EnvironmentScope
	Name        string // of the token
	ID          string // the public part of the token
}

func (at AccessTokenLocation) identify(input tuple) tuple {
	return at.Environment.appendTo(input).text(at.Name).text(at.ID)
}

// AccessTokens returns the MAC whose digests are stored in place of access tokens. The error is
// ErrWiped.
func (w *Workspace) AccessTokens() (*MAC[AccessTokenLocation], error) {
	return newMAC[AccessTokenLocation](w.keys, labelAccessToken, w.owner(), labelAccessToken)
}

// HMACLocation is empty. The digest of a tenant's own service depends only on the context and the
// data.
type HMACLocation struct{}

func (HMACLocation) identify(input tuple) tuple { return input }

// ApplicationHMAC returns the MAC of one context of a tenant's own service. The errors are
// ErrTooLarge and ErrWiped.
func (w *Workspace) ApplicationHMAC(context string) (*MAC[HMACLocation], error) {
	return newMAC[HMACLocation](w.keys, labelApplicationHMAC, w.owner().text(context), labelApplicationHMAC, context)
}

// ActivityLocation is the position of a record in a stream of activity. The stream is a chain: each
// digest covers the previous digest.
type ActivityLocation struct {
	Stream   string
	Sequence uint64
	Previous [32]byte // previous digest; all zeros for the first record
}

func (at ActivityLocation) identify(input tuple) tuple {
	return input.text(at.Stream).u64(at.Sequence).bytes(at.Previous[:])
}

// Activity returns the MAC that chains the activity of a workspace. The error is ErrWiped.
func (w *Workspace) Activity() (*MAC[ActivityLocation], error) {
	return newMAC[ActivityLocation](w.keys, labelActivity, w.owner(), labelActivity)
}

// EngineActivity returns the MAC that chains the mount's own activity, which belongs to no
// workspace. The error is ErrWiped.
func (m *Master) EngineActivity() (*MAC[ActivityLocation], error) {
	return newMAC[ActivityLocation](m.keys, labelEngineActivity, newTuple(nil).bytes(m.mount[:]), labelActivity)
}
