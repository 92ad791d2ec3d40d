package outbound

import (
	"net/netip"
	"strings"
	"testing"
)

func TestValidRules(t *testing.T) {
	for _, c := range []struct {
		text string
		want Rule
		form string // the canonical one; "" for the text itself
	}{
		{"10.1.0.0/16", Rule{Prefix: netip.MustParsePrefix("10.1.0.0/16")}, ""},
		{"10.1.0.0/16:443", Rule{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Port: 443}, ""},
		{"acme=192.168.7.5/32:8200", Rule{Workspace: "acme", Prefix: netip.MustParsePrefix("192.168.7.5/32"), Port: 8200}, ""},
		{"127.0.0.0/8+http", Rule{Prefix: netip.MustParsePrefix("127.0.0.0/8"), HTTP: true}, ""},
		{"a-b_9=::1/128:8200+http", Rule{"a-b_9", netip.MustParsePrefix("::1/128"), 8200, true}, ""},
		{"FD12:3456::/32:443", Rule{Prefix: netip.MustParsePrefix("fd12:3456::/32"), Port: 443}, "fd12:3456::/32:443"},
		{"169.254.169.254/32:80", Rule{Prefix: netip.MustParsePrefix("169.254.169.254/32"), Port: 80}, ""},
		{"0.0.0.0/0", Rule{Prefix: netip.MustParsePrefix("0.0.0.0/0")}, ""},
	} {
		got, err := ParseRule(c.text)
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.text, got, err, c.want)
		}
		if c.form == "" {
			c.form = c.text
		}
		if got.String() != c.form {
			t.Errorf("%s: canonical form %s, want %s", c.text, got, c.form)
		}
	}
}

func TestInvalidRules(t *testing.T) {
	for name, text := range map[string]string{
		"empty":                      "",
		"no network":                 "acme=",
		"no workspace before =":      "=10.0.0.0/8",
		"no name of a workspace":     "Acme=10.0.0.0/8",
		"two workspaces":             "acme=web=10.0.0.0/8",
		"a name that is too long":    strings.Repeat("a", 65) + "=10.0.0.0/8",
		"an address alone":           "10.0.0.1",
		"a host's name":              "vault.example.com/32",
		"bits behind the prefix":     "10.0.0.1/8",
		"too many bits":              "10.0.0.0/33",
		"bits with a zero before":    "10.0.0.0/08",
		"no port":                    "10.0.0.0/8:",
		"port zero":                  "10.0.0.0/8:0",
		"a port with a zero before":  "10.0.0.0/8:0443",
		"a port with a sign":         "10.0.0.0/8:+443",
		"a port that is too large":   "10.0.0.0/8:65536",
		"two ports":                  "10.0.0.0/8:1:2",
		"a zone":                     "fe80::%eth0/64",
		"http beyond loopback":       "10.0.0.0/8+http",
		"http on more than loopback": "126.0.0.0/7+http",
		"https":                      "10.0.0.0/8+https",
		"twice http":                 "127.0.0.0/8+http+http",
		"http before the port":       "127.0.0.0/8+http:80",
		"mapped":                     "::ffff:10.0.0.0/104",
		"NAT64":                      "64:ff9b::/96",
		"NAT64 of one's own":         "64:ff9b:1::/48",
		"6to4":                       "2002:a00::/24",
		"public":                     "8.8.8.0/24",
		"public IPv6":                "2606:4700::/32",
		"a space before":             " 10.0.0.0/8",
		"a space behind":             "10.0.0.0/8 ",
		"a line break":               "10.0.0.0/8\n",
		"brackets":                   "[fd00::/8]:443",
		"endless":                    strings.Repeat("1", 1<<20),
	} {
		if r, err := ParseRule(text); err == nil || r != (Rule{}) {
			t.Errorf("%s: parsed as %s (%v)", name, r, err)
		}
	}
}

func FuzzParseRule(f *testing.F) {
	for _, seed := range []string{"acme=10.0.0.0/8:443", "127.0.0.0/8+http", "::1/128:8200+http", "fd00::/8", "0.0.0.0/0", "=", "1/1:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRule(text)
		if err != nil {
			if r != (Rule{}) {
				t.Fatalf("a rejected rule is %+v", r)
			}
			// The error contains no part of the text, except what is in every error.
			if len(text) > 24 && strings.Contains(err.Error(), text[:24]) {
				t.Fatalf("the error contains the text: %v", err)
			}
			return
		}
		again, err := ParseRule(r.String())
		if err != nil || again != r {
			t.Fatalf("%q is parsed as %s, which is parsed as %s (%v)", text, r, again, err)
		}
		if r.HTTP && !r.Prefix.Addr().IsLoopback() {
			t.Fatalf("%q allows http beyond loopback", text)
		}
	})
}
