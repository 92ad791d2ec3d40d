package keyring

import "encoding/hex"

// ID identifies one incarnation of a workspace, environment, integration, sync or webhook. It is 16
// random bytes and not secret. A record that is deleted and created again under the same name has a
// new ID. So data of the old record does not open in the new one.
type ID [16]byte

// NewID returns a new ID in the form of a UUID of version 4 (RFC 9562, section 5.4). The package
// accepts any 16 bytes as an ID.
func NewID() ID {
	var id ID
	random(id[:])
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// ParseID parses the output of String: 32 lower-case hexadecimal digits. The error is ErrFormat.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != hex.EncodedLen(len(id)) {
		return ID{}, ErrFormat
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil || id.String() != s {
		return ID{}, ErrFormat
	}
	return id, nil
}

// String returns 32 lower-case hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }
