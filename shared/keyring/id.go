package keyring

import "encoding/hex"

// ID names one incarnation of a workspace, environment, integration, sync or webhook: 16 random bytes that are not secret. A
// record that is deleted and created again under the same name has another ID, so nothing of the old one opens in the new one.
type ID [16]byte

// NewID mints an ID, a UUID of version 4 (RFC 9562, section 5.4). Any other 16 random bytes are as good.
func NewID() ID {
	var id ID
	random(id[:])
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// ParseID reads the output of String, 32 lower-case hexadecimal digits. Its error is ErrFormat.
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
