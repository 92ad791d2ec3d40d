package provider

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"net/url"
	"slices"
	"strings"
)

// EndpointDigest is SHA-256 of T(provider, auth kind, then name and canonical value of each endpoint field that is set, in the order of
// the names), with T(f1..fn) = u8(n) || for each: u16be(length) || bytes. A credential is bound to it, and so to whom it may be sent
// to. Its error is a *FieldError.
func EndpointDigest(d Declaration, auth string, settings Values) ([32]byte, error) {
	fields := []string{d.Name, auth}
	declared := slices.Clone(d.SettingsOf(auth))
	slices.SortFunc(declared, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range declared {
		if f.Endpoint == NotEndpoint || isZero(settings[f.Name]) {
			continue
		}
		canonical, err := f.canonical(settings.Text(f.Name))
		if err != nil {
			return [32]byte{}, &FieldError{f.Name, err.Error()}
		}
		fields = append(fields, f.Name, canonical)
	}
	encoded := []byte{byte(len(fields))}
	for _, field := range fields {
		if len(field) > 0xffff {
			return [32]byte{}, &FieldError{"settings", "are too long together"}
		}
		encoded = binary.BigEndian.AppendUint16(encoded, uint16(len(field)))
		encoded = append(encoded, field...)
	}
	return sha256.Sum256(encoded), nil
}

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

// CanonicalURL brings an http or https URL to one form: lower-case scheme and host, explicit port, path without a slash at its end.
// It refuses user names, queries and fragments. Its error says what would be right.
func CanonicalURL(text string) (string, error) {
	wrong := errors.New("must be a URL such as https://vault.example.com:8200, without user name, query and fragment")
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#") {
		return "", wrong
	}
	scheme, port := strings.ToLower(u.Scheme), u.Port()
	standard, known := map[string]string{"http": "80", "https": "443"}[scheme]
	if !known {
		return "", wrong
	}
	if port == "" {
		port = standard
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if decoded, err := url.PathUnescape(segment); err != nil || decoded == "." || decoded == ".." || path != "" && decoded == "" {
			return "", wrong
		}
	}
	return scheme + "://" + host + ":" + port + path, nil
}

// canonicalPEM answers the DER of all certificates, one after the other.
func canonicalPEM(text string) (string, error) {
	wrong := errors.New("must be one or more certificates in PEM")
	var der []byte
	rest := []byte(text)
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
	}
	if len(der) == 0 || strings.TrimSpace(string(rest)) != "" {
		return "", wrong
	}
	return string(der), nil
}
