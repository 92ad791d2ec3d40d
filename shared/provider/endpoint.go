package provider

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// EndpointDigest returns the digest that binds a credential to its receiver. It is
//
//	SHA-256(T(provider, auth kind, name1, value1, name2, value2, ...))
//
// over the endpoint fields that are set, ordered by name, with canonical values, where
//
//	T(f1..fn) = u8(n) || for each field: u16be(length) || bytes
//
// The settings must be complete, so a default value counts like an explicit one. The error is a
// *FieldError.
func EndpointDigest(d Declaration, auth string, settings Values) ([32]byte, error) {
	fields := []string{d.Name, auth}
	declared := d.SettingsOf(auth)
	slices.SortFunc(declared, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range declared {
		if f.Endpoint == NotEndpoint || isZero(settings[f.Name]) {
			continue
		}
		canonical, err := f.canonical(settings.Text(f.Name))
		if err != nil {
			return [32]byte{}, &FieldError{f.Name, err.Error()}
		}
		if len(canonical) > maxEndpoint {
			return [32]byte{}, &FieldError{f.Name, fmt.Sprintf("must be at most %d bytes", maxEndpoint)}
		}
		fields = append(fields, f.Name, canonical)
	}
	encoded := []byte{byte(len(fields))}
	for _, field := range fields {
		encoded = binary.BigEndian.AppendUint16(encoded, uint16(len(field)))
		encoded = append(encoded, field...)
	}
	return sha256.Sum256(encoded), nil
}

// maxEndpoint is the maximum length of a value in bytes: a u16 length cannot encode more. The
// registry limits the number of fields so that their count fits in a u8.
const maxEndpoint = 1<<16 - 1

// SettingsOf returns the fields of an integration with the given auth kind that are not secret.
func (d Declaration) SettingsOf(auth string) []Field {
	return slices.DeleteFunc(d.fieldsOf(auth), func(f Field) bool { return f.Secret })
}

// SecretsOf returns the secret fields of an integration with the given auth kind.
func (d Declaration) SecretsOf(auth string) []Field {
	return slices.DeleteFunc(d.fieldsOf(auth), func(f Field) bool { return !f.Secret })
}

func (d Declaration) fieldsOf(auth string) []Field {
	all := slices.Clone(d.Fields)
	for _, kind := range d.Auth {
		if kind.Name == auth {
			all = append(all, kind.Fields...)
		}
	}
	return all
}

func (f Field) checkEndpoint(value any) error {
	text, isText := value.(string)
	if !isText || f.Endpoint == NotEndpoint {
		return nil
	}
	_, err := f.canonical(text)
	return err
}

func (f Field) canonical(value string) (string, error) {
	switch f.Endpoint {
	case EndpointURL:
		return CanonicalURL(value)
	case EndpointPEM:
		return canonicalPEM(value)
	default:
		text, _ := f.Stored(value).(string)
		return text, nil
	}
}

// CanonicalURL returns the canonical form of an http or https URL: lower-case scheme and host,
// explicit port, and a path without a trailing slash whose segments contain only necessary escapes.
// It rejects user names, queries and fragments. It also rejects URLs that two parsers could
// interpret differently: hosts that are not ASCII, empty segments, dot segments and escaped
// slashes. Its error describes valid URLs.
func CanonicalURL(text string) (string, error) {
	wrong := errors.New("must be a URL such as https://vault.example.com:8200, without user name, query or fragment")
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#") || len(text) > maxURL {
		return "", wrong
	}
	scheme := strings.ToLower(u.Scheme)
	standard, known := map[string]uint64{"http": 80, "https": 443}[scheme]
	host := canonicalHost(u.Hostname())
	if !known || host == "" {
		return "", wrong
	}
	port := standard
	if u.Port() != "" {
		if port, err = strconv.ParseUint(u.Port(), 10, 16); err != nil || port == 0 {
			return "", wrong
		}
	}
	path, ok := canonicalPath(strings.TrimRight(u.EscapedPath(), "/"))
	if !ok {
		return "", wrong
	}
	return fmt.Sprintf("%s://%s:%d%s", scheme, host, port, path), nil
}

// canonicalPath normalizes the escapes of each segment. ok is false for a path that could be
// interpreted as another path.
func canonicalPath(path string) (canonical string, ok bool) {
	if path == "" {
		return "", true
	}
	ambiguous := func(r rune) bool { return r == '/' || r == '\\' || r < ' ' }
	var b strings.Builder
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		plain, err := url.PathUnescape(segment)
		if err != nil || plain == "" || plain == "." || plain == ".." || strings.ContainsFunc(plain, ambiguous) {
			return "", false
		}
		b.WriteString("/" + url.PathEscape(plain))
	}
	return b.String(), true
}

// maxURL is in bytes. It is our own limit and longer than any address in use.
const maxURL = 2048

// hostName matches a DNS name or an IPv4 address: labels separated by dots.
var hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$`)

// canonicalHost returns the canonical form of a host name or an IP address, or "" if host is
// neither.
func canonicalHost(host string) string {
	if address, err := netip.ParseAddr(host); err == nil && address.Is6() {
		if address.Zone() != "" {
			return ""
		}
		return "[" + address.String() + "]"
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if !hostName.MatchString(host) {
		return ""
	}
	return host
}

// canonicalPEM returns the concatenated DER of all certificates. It rejects a block that does not
// decode: package pem skips such a block, so fewer certificates would be trusted than were given.
func canonicalPEM(text string) (string, error) {
	wrong := errors.New("must be one or more certificates in PEM format")
	var der []byte
	blocks, rest := 0, []byte(text)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return "", wrong
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return "", wrong
		}
		der = append(der, block.Bytes...)
		blocks++
	}
	if blocks == 0 || blocks != strings.Count(text, "-----BEGIN") || strings.TrimSpace(string(rest)) != "" {
		return "", wrong
	}
	return string(der), nil
}
