package keyring

import (
	"encoding/base64"
	"encoding/binary"
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
