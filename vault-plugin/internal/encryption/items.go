package encryption

import (
	"errors"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// The functions below process one item. A *fault.Error concerns the item. Any other error ends the
// batch.

type (
	encryption = keyring.Context[keyring.ApplicationLocation]
	digests    = keyring.MAC[keyring.HMACLocation]
)

func seal(keys *encryption, item Item) (Result, error) {
	at, err := location(item)
	if err != nil {
		return Result{}, err
	}
	sealed, err := keys.Seal(at, item.Data)
	if errors.Is(err, keyring.ErrTooLarge) {
		return Result{}, fault.New(fault.Limit, "plaintext: has %d bytes; the limit is %d", len(item.Data), keyring.MaxPlaintext)
	}
	return ciphertext(sealed, err)
}

func open(keys *encryption, item Item) (Result, error) {
	at, sealed, err := sealedItem(item)
	if err != nil {
		return Result{}, err
	}
	plaintext, err := keys.Open(at, sealed)
	return Result{Plaintext: plaintext}, opaque(err)
}

func rewrap(keys *encryption, item Item) (Result, error) {
	at, sealed, err := sealedItem(item)
	if err != nil {
		return Result{}, err
	}
	moved, err := keys.Rewrap(at, sealed)
	return ciphertext(moved, opaque(err))
}

func ciphertext(sealed keyring.Ciphertext[keyring.ApplicationLocation], err error) (Result, error) {
	if err != nil {
		return Result{}, err
	}
	return Result{Text: sealed.Text(), KeyVersion: sealed.KeyVersion()}, nil
}

func sealedItem(item Item) (at keyring.ApplicationLocation, sealed keyring.Ciphertext[keyring.ApplicationLocation], err error) {
	if at, err = location(item); err != nil {
		return at, sealed, err
	}
	sealed, err = keyring.ParseText[keyring.ApplicationLocation](item.Text)
	return at, sealed, opaque(err)
}

func location(item Item) (keyring.ApplicationLocation, error) {
	if n := len(item.AssociatedData); n > MaxAssociatedData {
		return keyring.ApplicationLocation{}, fault.New(fault.Limit, "associated_data: has %d bytes; the limit is %d", n, MaxAssociatedData)
	}
	return keyring.ApplicationLocation{AssociatedData: item.AssociatedData}, nil
}

// opaque returns one error for every reason why a ciphertext does not open: a changed byte, other
// associated data, another context or workspace, a destroyed key version, or no ciphertext at all.
// Different errors would help only a forger.
func opaque(err error) error {
	if err == nil || errors.Is(err, keyring.ErrWiped) {
		return err
	}
	return fault.New(fault.Invalid, "ciphertext: cannot be opened here")
}

func sum(keys *digests, item Item) (Result, error) {
	d, err := keys.Sum(keyring.HMACLocation{}, item.Data)
	if err != nil {
		return Result{}, err
	}
	return Result{Text: d.Text(), KeyVersion: d.KeyVersion()}, nil
}

func verify(keys *digests, item Item) (Result, error) {
	d, err := keyring.ParseDigestText[keyring.HMACLocation](item.Text)
	if err != nil {
		return Result{}, fault.New(fault.Invalid, "hmac: must be stash-mac:v<key version>:<base64url>, as hmac/ returns it")
	}
	err = keys.Verify(keyring.HMACLocation{}, item.Data, d)
	if errors.Is(err, keyring.ErrVerify) {
		return Result{}, nil
	}
	return Result{Valid: err == nil}, err
}
