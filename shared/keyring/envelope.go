package keyring

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
)

// The envelope, format 1. Integers are big-endian.
//
//	 0   1  format   0x01
//	 1   1  suite    0x01 = HKDF-Expand-SHA-256 + AES-256-GCM + 32-byte commitment
//	 2   1  domain   0x01 workspace key, 0x02 secret, 0x03 integration credential,
//	                 0x04 sync metadata, 0x05 application, 0x06 lease, 0x07 rotation journal,
//	                 0x08 webhook
//	 3   1  flags    0x00; other values are rejected
//	 4   4  key version, not 0: of the master key for domain 0x01, else of the workspace key
//	 8  16  salt, random
//	24  32  commitment
//	56  12  nonce of AES-GCM, random
//	68   n  ciphertext
//	     16  tag of AES-GCM
const (
	versionOffset    = 4
	saltOffset       = 8
	commitmentOffset = 24
	sealedOffset     = 56
	overhead         = sealedOffset + nonceSize + tagSize

	commitmentSize = sealedOffset - commitmentOffset

	formatV1 = 0x01
	suiteV1  = 0x01
	noFlags  = 0x00
)

const (
	domainWorkspaceKey byte = iota + 1
	domainSecret
	domainCredential
	domainSyncMetadata
	domainApplication
	domainLease
	domainRotation
	domainWebhook
)

// MaxPlaintext is the largest size of a plaintext in bytes. It is far above the size of any secret.
// It is far below the limit of AES-GCM (64 GiB), above which the standard library panics.
const MaxPlaintext = 64 << 20

// newHead returns a header and a new salt. The buffer has capacity for the rest of the envelope.
func newHead(domain byte, version uint32, plaintextSize int) []byte {
	h := make([]byte, commitmentOffset, overhead+plaintextSize)
	h[0], h[1], h[2], h[3] = formatV1, suiteV1, domain, noFlags
	binary.BigEndian.PutUint32(h[versionOffset:], version)
	random(h[saltOffset:])
	return h
}

// envelope is a sealed message with a valid header. It is immutable.
type envelope []byte

// parseEnvelope takes the domain that the caller expects. An envelope of another domain is rejected
// before any key is derived for it.
func parseEnvelope(b []byte, domain byte) (envelope, error) {
	if len(b) < overhead || len(b) > overhead+MaxPlaintext {
		return nil, ErrFormat
	}
	if b[0] != formatV1 || b[1] != suiteV1 || b[2] != domain || b[3] != noFlags {
		return nil, ErrFormat
	}
	e := envelope(b)
	if e.version() == 0 {
		return nil, ErrFormat
	}
	return e, nil
}

func (e envelope) version() uint32 {
	if len(e) < overhead {
		return 0
	}
	return binary.BigEndian.Uint32(e[versionOffset:])
}

const (
	textPrefix   = "stash:v"
	digestPrefix = "stash-mac:v"
)

// printText returns the text form of a ciphertext or digest: prefix, key version and payload.
func printText(prefix string, version uint32, payload []byte) string {
	b := make([]byte, 0, len(prefix)+len("4294967295:")+base64.RawURLEncoding.EncodedLen(len(payload)))
	b = append(b, prefix...)
	b = strconv.AppendUint(b, uint64(version), 10)
	b = append(b, ':')
	return string(base64.RawURLEncoding.AppendEncode(b, payload))
}

// parseText is the inverse of printText and accepts one text for each value. Two checks ensure
// this. The number may have no leading zero. The length must match the payload, because the base64
// decoder skips line breaks.
func parseText(prefix, s string, maxPayload int) (version uint32, payload []byte, err error) {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return 0, nil, ErrFormat
	}
	number, encoded, ok := strings.Cut(rest, ":")
	if !ok || len(encoded) > base64.RawURLEncoding.EncodedLen(maxPayload) {
		return 0, nil, ErrFormat
	}
	v, err := strconv.ParseUint(number, 10, 32)
	if err != nil || number[0] == '0' {
		return 0, nil, ErrFormat
	}
	payload, err = base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(encoded) != base64.RawURLEncoding.EncodedLen(len(payload)) {
		return 0, nil, ErrFormat
	}
	return uint32(v), payload, nil
}

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
