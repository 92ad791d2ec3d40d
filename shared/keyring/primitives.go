package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"hash"
)

// keySize is the size of every key of the hierarchy in bytes.
const keySize = 32

const (
	nonceSize = 12 // AES-GCM nonce, in bytes
	tagSize   = 16 // AES-GCM tag, in bytes
)

// expand is HKDF-Expand with SHA-256 (RFC 5869, section 2.3; feedback mode of NIST SP 800-108). It
// needs no Extract, because every key of the hierarchy is uniform. The caller clears the result.
func expand(key *[keySize]byte, info []byte, size int) ([]byte, error) {
	okm, err := hkdf.Expand(sha256.New, key[:], string(info), size)
	if err != nil {
		return nil, fmt.Errorf("keyring: derive a key: %w", err)
	}
	made(okm)
	return okm, nil
}

// made is called with each slice that holds a new or a copied key, and with each plaintext that is
// opened. Tests replace it to check that every one is cleared.
var made = func([]byte) {}

// newHMAC returns HMAC with SHA-256 (RFC 2104).
func newHMAC(key *[keySize]byte) hash.Hash { return hmac.New(sha256.New, key[:]) }

// newAEAD returns AES-256-GCM (NIST SP 800-38D). It draws a random nonce for each message and puts
// it before the ciphertext, so no code here can choose a nonce. Each key seals one message, far
// below the 2^32 that a random nonce permits.
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("keyring: set up the cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("keyring: set up the cipher: %w", err)
	}
	return aead, nil
}

// appendSealed appends the nonce, the ciphertext and the tag to dst.
func appendSealed(dst, key, plaintext, additional []byte) ([]byte, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	return aead.Seal(dst, nil, plaintext, additional), nil
}

// openSealed opens the bytes that appendSealed appended. An empty plaintext is not nil.
func openSealed(key, sealed, additional []byte) ([]byte, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	dst := make([]byte, 0, max(0, len(sealed)-nonceSize-tagSize))
	plaintext, err := aead.Open(dst, nil, sealed, additional)
	if err == nil {
		made(plaintext)
	}
	return plaintext, err
}

// equal compares a and b in constant time.
func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// random fills b with random bytes. It never fails: crypto/rand ends the program if the operating
// system returns none.
func random(b []byte) { _, _ = rand.Read(b) }
