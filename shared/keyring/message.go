package keyring

import (
	"encoding/binary"
	"math"
)

// scheme is the first field of every derivation. It changes only with the whole hierarchy. A new
// algorithm gets a new suite byte instead.
const scheme = "stash/v1"

const labelMessage = "message"

// Offsets in a message's info. Every field before the binding has a fixed length.
const (
	infoHeaderOffset = 1 + (2 + len(scheme)) + (2 + len(labelMessage)) + 2
	infoSaltOffset   = infoHeaderOffset + saltOffset + 2
	bindingLenOffset = infoSaltOffset + commitmentOffset - saltOffset
	bindingOffset    = bindingLenOffset + 2
)

// message is T("stash/v1","message",header,salt,binding), the info of a message key. Its last
// field, the binding, is also the additional data of the AEAD, so one buffer holds both.
type message []byte

// template is the common part of a context's messages. It lacks the header, the salt and the end of
// the binding.
type template tuple

func newTemplate() tuple {
	t := newTuple(nil).text(scheme).text(labelMessage).bytes(make([]byte, saltOffset)).bytes(make([]byte, commitmentOffset-saltOffset))
	t.buf[0] = byte(t.n + 1)
	return newTuple(append(t.buf, 0, 0))
}

// locationSize is the capacity for the fields of a typical location, so that the buffer seldom
// grows.
const locationSize = 64

// scopeSize is the capacity for the fields of a typical scope.
const scopeSize = 96

// begin returns the message for an envelope with the given head. The caller appends the missing
// fields of the binding and calls endMessage.
func (t template) begin(h []byte) tuple {
	info := make([]byte, len(t.buf), len(t.buf)+locationSize)
	copy(info, t.buf)
	copy(info[infoHeaderOffset:], h[:saltOffset])
	copy(info[infoSaltOffset:], h[saltOffset:commitmentOffset])
	t.buf = info
	return tuple(t)
}

func endMessage(binding tuple) (message, error) {
	info, err := binding.encode()
	if err != nil {
		return nil, err
	}
	size := len(info) - bindingOffset
	if size > math.MaxUint16 {
		return nil, ErrTooLarge
	}
	binary.BigEndian.PutUint16(info[bindingLenOffset:], uint16(size))
	return info, nil
}

func (m message) binding() []byte { return m[bindingOffset:] }

// messageKeysSize is the size of a message's keys: the encryption key, then the commitment.
const messageKeysSize = keySize + commitmentSize

// seal completes an envelope that newHead returned. keys is the expansion of m. The caller clears
// it.
func seal(h []byte, m message, keys, plaintext []byte) (envelope, error) {
	return appendSealed(append(h, keys[keySize:]...), keys[:keySize], plaintext, m.binding())
}

// open decrypts one message. It compares the commitment before it decrypts anything. So an envelope
// opens under exactly one key, header, salt and binding. AES-GCM alone does not ensure this: an
// attacker who can replace a stored wrapped key can craft a ciphertext that opens under two keys.
func open(e envelope, m message, keys []byte) ([]byte, error) {
	if !equal(keys[keySize:], e[commitmentOffset:sealedOffset]) {
		return nil, ErrOpen
	}
	plaintext, err := openSealed(keys[:keySize], e[sealedOffset:], m.binding())
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}
