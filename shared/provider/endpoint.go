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

// EndpointDigest is SHA-256 of T(provider, auth kind, then name and canonical value of each endpoint field that is set, in the order of
// the names), with T(f1..fn) = u8(n) || for each: u16be(length) || bytes. A credential is bound to it, and so to whom it may be sent.
// Settings are complete: a default counts as what it stands for. Its error is a *FieldError.
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
			return [32]byte{}, &FieldError{f.Name, fmt.Sprintf("must be %d bytes at the most", maxEndpoint)}
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

// maxEndpoint is in bytes, what a length in two bytes can say. The registry holds the number of fields to what one byte can.
const maxEndpoint = 1<<16 - 1

// SettingsOf lists the fields of an integration under an auth kind that are no secrets.
func (d Declaration) SettingsOf(auth string) []Field {
	return slices.DeleteFunc(d.fieldsOf(auth), func(f Field) bool { return f.Secret })
}

// SecretsOf lists the secret fields of an auth kind.
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
		return value, nil
	}
}

// CanonicalURL brings an http or https URL to one form: lower-case scheme and host, explicit port, path without a slash at its end, each
// segment with the escapes it needs and no others. It refuses user names, queries and fragments, and what two readers could take for
// different URLs: hosts beyond ASCII, empty segments, segments of dots, and slashes that are escaped. Its error says what would be right.
func CanonicalURL(text string) (string, error) {
	wrong := errors.New("must be a URL such as https://vault.example.com:8200, without user name, query and fragment")
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

// canonicalPath escapes the segments of a path as they need it. It reports false for a path that could be taken for another one.
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

// maxURL is in bytes, and more than anybody's address has.
const maxURL = 2048

// hostName is the form of a name in DNS, and of an IPv4 address: labels with dots between them.
var hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$`)

// canonicalHost is "" for what is no host.
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

// canonicalPEM answers the DER of all certificates, one after the other. A block that does not decode is refused, for the package
// skips it, and what is trusted would be less than what was given.
func canonicalPEM(text string) (string, error) {
	wrong := errors.New("must be one or more certificates in PEM")
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
