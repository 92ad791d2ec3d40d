package provider_test

import (
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

func TestCanonicalURL(t *testing.T) {
	for text, want := range map[string]string{
		"https://vault.example.com":          "https://vault.example.com:443",
		"HTTPS://Vault.Example.COM:443/":     "https://vault.example.com:443",
		"https://vault.example.com.:0443///": "https://vault.example.com:443",
		"https://vault.example.com:":         "https://vault.example.com:443",
		"http://127.0.0.1:8200":              "http://127.0.0.1:8200",
		"http://localhost":                   "http://localhost:80",
		"https://[::1]:8200":                 "https://[::1]:8200",
		"https://[0:0:0:0:0:0:0:1]":          "https://[::1]:443",
		"https://[2001:DB8::A]/x":            "https://[2001:db8::a]:443/x",
		"https://h/a/b/":                     "https://h:443/a/b",
		"https://h/A%20b":                    "https://h:443/A%20b",
		"https://h/%41%c3%a4":                "https://h:443/A%C3%A4",
		"https://h/ä":                        "https://h:443/%C3%A4",
		"https://under_score.example":        "https://under_score.example:443",
	} {
		if got, err := provider.CanonicalURL(text); got != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestCanonicalURLRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "no scheme": "vault.example.com", "no slashes": "https:vault.example.com", "another scheme": "ftp://h", "a socket": "unix:///run/vault.sock",
		"no host": "https:///x", "no host but a port": "https://:8200", "a user": "https://ada@h", "an empty user": "https://@h", "a password": "https://ada:x@h",
		"a query": "https://h/?a=b", "an empty query": "https://h?", "a fragment": "https://h#a", "an empty fragment": "https://h#",
		"port 0": "https://h:0", "a port too high": "https://h:65536", "a port in words": "https://h:https", "a port with a sign": "https://h:+443",
		"dots": "https://h/a/../b", "escaped dots": "https://h/a/%2e%2e/b", "one dot": "https://h/./a", "an empty segment": "https://h/a//b", "a leading one": "https://h//a",
		"an escaped slash": "https://h/a%2fb", "a backslash": `https://h/a%5cb`, "a control character": "https://h/a%0ab", "a bare escape": "https://h/%zz",
		"a host beyond ASCII": "https://vaült.example.com", "a full-width dot": "https://a\uff0eb", "two dots in a host": "https://a..b", "dots alone": "https://..",
		"a space": "https://a b", "an escaped host": "https://a%2eb", "a zone": "https://[fe80::1%25eth0]", "brackets around a name": "https://[h]", "a line break": "https://h\n",
		"too long": "https://h/" + strings.Repeat("a", 2048),
	} {
		if got, err := provider.CanonicalURL(text); err == nil || !strings.Contains(err.Error(), "https://vault.example.com:8200") {
			t.Errorf("%s: %q becomes %q, %v", name, text, got, err)
		}
	}
}

func FuzzCanonicalURL(f *testing.F) {
	for _, seed := range []string{"https://h", "HTTP://H:80/a%20b/", "https://[::1]:1/x", "https://h/%2e", "https://ada@h?x#y", "https://h:065/ä"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		canonical, err := provider.CanonicalURL(text)
		if err != nil {
			if canonical != "" {
				t.Errorf("the URL is rejected and %q is returned", canonical)
			}
			return
		}
		if again, err := provider.CanonicalURL(canonical); again != canonical || err != nil {
			t.Errorf("%q becomes %q, whose canonical form is %q, %v", text, canonical, again, err)
		}
		given, err := url.Parse(text)
		if err != nil {
			t.Fatalf("%q is accepted and is no URL", text)
		}
		u, err := url.Parse(canonical)
		if err != nil || u.Port() == "" || u.Host != strings.ToLower(u.Host) || strings.HasSuffix(u.Path, "/") {
			t.Errorf("%q: %v", canonical, err)
		}
		// A client of the given URL must reach the host that is compared.
		if u.Path != strings.TrimRight(given.Path, "/") || !strings.EqualFold(u.Scheme, given.Scheme) {
			t.Errorf("%q addresses another host than %q", canonical, text)
		}
	})
}

// The digests were computed from bytes laid out by hand, as the comment of EndpointDigest
// describes.
func TestEndpointDigestVectors(t *testing.T) {
	d := declaration()
	d.Name = "vault"
	for want, settings := range map[string]provider.Values{
		"183e975d6b43982e7b4387e747f7c00b528fed6e6755ecd5b6f47f1ccbdb0b9c": {"address": "https://Vault.example.com/", "page_size": 7, "open": true},
		"5eaeca21a79eb0a5bac049aefcad2b6a9fcec44176296b19c0e1a42707af484e": {"address": "https://vault.example.com:8200/below", "namespace": "admin/platform", "tls_server_name": "vault.internal", "ca_pem": ""},
		"04d9bb13a3fef438e18cac3ecb5d2fd4824ccc8960189a81eee8a8ee55255a24": {},
	} {
		digest, err := provider.EndpointDigest(d, "token", settings)
		if got := hex.EncodeToString(digest[:]); got != want || err != nil {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
}

func TestEndpointDigestDistinguishesFields(t *testing.T) {
	seen := make(map[[32]byte]string)
	for name, c := range map[string]struct {
		auth     string
		settings provider.Values
	}{
		"namespace":         {"token", provider.Values{"namespace": "a"}},
		"server name":       {"token", provider.Values{"tls_server_name": "a"}},
		"both":              {"token", provider.Values{"namespace": "a", "tls_server_name": "a"}},
		"one after another": {"token", provider.Values{"namespace": "atls_server_namea"}},
		"another auth kind": {"pair", provider.Values{"namespace": "a"}},
		"an auth's field":   {"pair", provider.Values{"namespace": "a", "account": "ada"}},
	} {
		digest, err := provider.EndpointDigest(declaration(), c.auth, c.settings)
		if err != nil {
			t.Fatal(err)
		}
		if before := seen[digest]; before != "" {
			t.Errorf("%s has the same digest as %s", name, before)
		}
		seen[digest] = name
	}
}

func TestEndpointDigestRejectsInvalidEndpoints(t *testing.T) {
	for field, value := range map[string]string{"address": "box", "ca_pem": "-----BEGIN CERTIFICATE-----", "namespace": strings.Repeat("a", 1<<16)} {
		_, err := provider.EndpointDigest(declaration(), "token", provider.Values{field: value})
		var refused *provider.FieldError
		if !errors.As(err, &refused) || refused.Field != field || strings.Contains(err.Error(), value) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestCertificatesThatDoNotDecodeAreRejected(t *testing.T) {
	for name, pem := range map[string]string{
		"a broken block":    "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
		"another type":      "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
		"no certificate":    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"nothing but words": "certificates",
	} {
		if _, err := provider.Complete(declaration().Fields[3:4], provider.Values{"ca_pem": pem}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
