package keyring

// FingerprintLocation is one value at a destination, under the name that it has there.
type FingerprintLocation struct {
	RemoteName string
}

func (at FingerprintLocation) identify(input tuple) tuple { return input.text(at.RemoteName) }

// Fingerprints returns the MAC that recognises the values a sync has sent. The same value has a different fingerprint under
// another name and in another sync. Its errors are ErrTooLarge and ErrWiped.
func (w *Workspace) Fingerprints(of SyncScope) (*MAC[FingerprintLocation], error) {
	return newMAC[FingerprintLocation](w.keys, labelFingerprint, of.appendTo(w.owner()), labelFingerprint)
}

// AccessTokenLocation is one access token of an environment. The data of its digest is the whole token.
type AccessTokenLocation struct {
	Environment EnvironmentScope
	Name        string // of the token
	ID          string // the public part of the token
}

func (at AccessTokenLocation) identify(input tuple) tuple {
	return at.Environment.appendTo(input).text(at.Name).text(at.ID)
}

// AccessTokens returns the MAC whose digests are stored in place of access tokens. Its error is ErrWiped.
func (w *Workspace) AccessTokens() (*MAC[AccessTokenLocation], error) {
	return newMAC[AccessTokenLocation](w.keys, labelAccessToken, w.owner(), labelAccessToken)
}

// HMACLocation is empty: the digest of a tenant's own service depends on nothing but its context and its data.
type HMACLocation struct{}

func (HMACLocation) identify(input tuple) tuple { return input }

// ApplicationHMAC returns the MAC of a tenant's own service. Its errors are ErrTooLarge and ErrWiped.
func (w *Workspace) ApplicationHMAC(context string) (*MAC[HMACLocation], error) {
	return newMAC[HMACLocation](w.keys, labelApplicationHMAC, w.owner().text(context), labelApplicationHMAC, context)
}

// ActivityLocation is the position of a record in a stream of activity, a chain in which each digest covers the previous one.
type ActivityLocation struct {
	Stream   string
	Sequence uint64
	Previous [32]byte // the previous digest, all zero for the first record
}

func (at ActivityLocation) identify(input tuple) tuple {
	return input.text(at.Stream).u64(at.Sequence).bytes(at.Previous[:])
}

// Activity returns the MAC that chains the activity of a workspace. Its error is ErrWiped.
func (w *Workspace) Activity() (*MAC[ActivityLocation], error) {
	return newMAC[ActivityLocation](w.keys, labelActivity, w.owner(), labelActivity)
}

// EngineActivity returns the MAC that chains the activity of the mount, which belongs to no workspace. Its error is ErrWiped.
func (m *Master) EngineActivity() (*MAC[ActivityLocation], error) {
	return newMAC[ActivityLocation](m.keys, labelEngineActivity, newTuple(nil).bytes(m.mount[:]), labelActivity)
}
