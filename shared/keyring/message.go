package keyring

import (
	"encoding/binary"
	"math"
)

// scheme is the first field of every derivation. It changes only together with the whole hierarchy; a new algorithm is a new suite.
const scheme = "stash/v1"

const labelMessage = "message"

// Places in a message's info, all of whose fields before the binding have a fixed length.
const (
	infoHeaderAt = 1 + (2 + len(scheme)) + (2 + len(labelMessage)) + 2
	infoSaltAt   = infoHeaderAt + saltAt + 2
	bindingLenAt = infoSaltAt + commitmentAt - saltAt
	bindingAt    = bindingLenAt + 2
)

// message is T("stash/v1","message",header,salt,binding), the info of a message key. Its last field, the binding, is also the
// AEAD's additional data, so both live in one buffer.
type message []byte

// template is a message that lacks its header, its salt and the end of its binding: what the messages of a context share.
type template tuple

func newTemplate() tuple {
	t := newTuple(nil).text(scheme).text(labelMessage).bytes(make([]byte, saltAt)).bytes(make([]byte, commitmentAt-saltAt))
	t.buf[0] = byte(t.n + 1)
	return newTuple(append(t.buf, 0, 0))
}

// locationSize is room for the fields of a usual location, so that the buffer seldom grows.
const locationSize = 64

// scopeSize is room for the fields of a usual scope.
const scopeSize = 96

// begin makes the message of an envelope with the given head: the caller adds the fields that the binding lacks, and calls endMessage.
func (t template) begin(h []byte) tuple {
	info := make([]byte, len(t.buf), len(t.buf)+locationSize)
	copy(info, t.buf)
	copy(info[infoHeaderAt:], h[:saltAt])
	copy(info[infoSaltAt:], h[saltAt:commitmentAt])
	t.buf = info
	return tuple(t)
}

func endMessage(binding tuple) (message, error) {
	info, err := binding.encode()
	if err != nil {
		return nil, err
	}
	size := len(info) - bindingAt
	if size > math.MaxUint16 {
		return nil, ErrTooLarge
	}
	binary.BigEndian.PutUint16(info[bindingLenAt:], uint16(size))
	return info, nil
}

func (m message) binding() []byte { return m[bindingAt:] }

// messageKeysSize is what a message's info is expanded to: the key, then the commitment.
const messageKeysSize = keySize + commitmentSize

// seal completes the envelope that newHead has begun. keys are the expansion of m; the caller clears them.
func seal(h []byte, m message, keys, plaintext []byte) (envelope, error) {
	return appendSealed(append(h, keys[keySize:]...), keys[:keySize], plaintext, m.binding())
}

// open decrypts one message. Wrapped keys and ciphertexts are stored apart, and AES-GCM alone lets one who can exchange a key
// craft a ciphertext that opens under both. The commitment, compared before anything is decrypted, leaves one key, header, salt
// and binding under which an envelope opens.
func open(e envelope, m message, keys []byte) ([]byte, error) {
	if !equal(keys[keySize:], e[commitmentAt:sealedAt]) {
		return nil, ErrOpen
	}
	plaintext, err := openSealed(keys[:keySize], e[sealedAt:], m.binding())
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}
