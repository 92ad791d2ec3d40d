// want: as keyring.Digest[keyring.AccessTokenLocation] value

package p

import "github.com/stashbase/vault-stashbase/shared/keyring"

func use(tokens *keyring.MAC[keyring.AccessTokenLocation], d keyring.Digest[keyring.HMACLocation]) error {
	return tokens.Verify(keyring.AccessTokenLocation{ID: "id"}, nil, d)
}
