package providertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"maps"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

var endpointChecks = []check{
	{"another endpoint has another digest", nil, anotherEndpoint},
	{"equal spellings of an endpoint have one digest", nil, equalSpellings},
	{"other settings do not change the digest", nil, otherSettings},
}

func (r *rig) digest(t testing.TB, settings provider.Values) [32]byte {
	t.Helper()
	digest, err := provider.EndpointDigest(r.declaration, r.Auth, settings)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// with returns the session's settings with one changed value.
func (r *rig) with(field string, value any) provider.Values {
	settings := maps.Clone(r.session.Settings)
	settings[field] = value
	return settings
}

func anotherEndpoint(t testing.TB, r *rig) {
	seen := map[[32]byte]string{r.digest(t, r.session.Settings): "the party's own settings"}
	for _, f := range r.declaration.SettingsOf(r.Auth) {
		for _, value := range otherValues(t, r, f) {
			digest := r.digest(t, r.with(f.Name, value))
			if before, taken := seen[digest]; taken {
				t.Errorf("another %s has the same digest as %s", f.Name, before)
			}
			seen[digest] = "another " + f.Name
		}
	}
}

// otherValues returns valid values of an endpoint field that differ from the party's value.
func otherValues(t testing.TB, r *rig, f provider.Field) []string {
	t.Helper()
	switch {
	case f.Endpoint == provider.EndpointURL:
		return []string{"https://other.example.com", "http://other.example.com", "https://other.example.com:8443", "https://other.example.com/below"}
	case f.Endpoint == provider.EndpointPEM:
		return []string{certificate(t), certificate(t)}
	case f.Endpoint == provider.NotEndpoint:
		return nil
	case f.Choices != nil:
		var others []string
		for _, choice := range f.Choices {
			if choice != r.session.Settings.Text(f.Name) {
				others = append(others, choice)
			}
		}
		return others
	default:
		return []string{"other", "other-2"}
	}
}

func equalSpellings(t testing.TB, r *rig) {
	for _, f := range r.declaration.SettingsOf(r.Auth) {
		var spellings []string
		switch f.Endpoint {
		case provider.EndpointURL:
			spellings = []string{"https://other.example.com/x", "HTTPS://Other.Example.COM/x", "https://other.example.com:443/x", "https://other.example.com/x/"}
		case provider.EndpointPEM:
			one, two := certificate(t), certificate(t)
			spellings = []string{one + two, one + "\n\n" + two, strings.ReplaceAll(one+two, "\n", "\r\n"), "# a comment\n" + one + two + "\n"}
		default:
			continue
		}
		want := r.digest(t, r.with(f.Name, spellings[0]))
		for _, spelling := range spellings[1:] {
			if r.digest(t, r.with(f.Name, spelling)) != want {
				t.Errorf("field %s: %q has another digest than %q", f.Name, spelling, spellings[0])
			}
		}
	}
}

func otherSettings(t testing.TB, r *rig) {
	want := r.digest(t, r.session.Settings)
	for _, f := range r.declaration.SettingsOf(r.Auth) {
		if f.Endpoint != provider.NotEndpoint {
			continue
		}
		other := map[provider.Type]any{provider.Text: "other", provider.Flag: true, provider.Whole: 7, provider.Words: []string{"other"}}
		if r.digest(t, r.with(f.Name, other[f.Type])) != want {
			t.Errorf("field %s is not an endpoint, but it changes the digest", f.Name)
		}
	}
}

// certificate returns a self-signed certificate whose key is discarded.
func certificate(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "providertest"}, NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
