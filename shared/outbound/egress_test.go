package outbound

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func rules(t testing.TB, texts ...string) []Rule {
	t.Helper()
	var all []Rule
	for _, text := range texts {
		r, err := ParseRule(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		all = append(all, r)
	}
	return all
}

// Addresses from every special range, and the first and last addresses of ranges.
func TestSpecialPurposeAddressesAreRejected(t *testing.T) {
	for _, text := range []string{
		"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255",
		"169.254.169.254", "169.254.170.2", "172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.170", "192.0.0.192", "192.0.2.1", "192.31.196.1",
		"192.52.193.1", "192.88.99.1", "192.168.0.0", "192.168.255.255", "192.175.48.1", "198.18.0.0", "198.19.255.255", "198.51.100.1",
		"203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "100.100.100.200", "168.63.129.16",
		"::", "::1", "::2", "::7f00:1", "100::1", "100:0:0:1::1", "64:ff9b:2::1", "2001::1", "2001:1::1", "2001:2::1", "2001:10::1", "2001:20::1",
		"2001:1ff:ffff::1", "2001:db8::1", "2620:4f:8000::1", "3fff::1", "4000::1", "5f00::1", "8000::1", "fc00::1", "fd00::1",
		"fd00:ec2::254", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "ff02::1",
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1",
		"64:ff9b:1::10.0.0.1", "64:ff9b:1::a9fe:a9fe", "64:ff9b:1:a9fe:a9:fe00:808:808", "64:ff9b:1:a:0:a9fe:a9fe:0", "64:ff9b:1::", "64:ff9b:1::1",
		"64:ff9b:1:0:a9:fea9:fe00:0", "2002:7f00:1::1", "2002:a00:1::", "2002:a9fe:a9fe::1",
	} {
		if err := new(Policy).check(toward(text, 443)); !errors.Is(err, ErrRefused) {
			t.Errorf("%s is allowed (%v)", text, err)
		}
	}
}

func toward(address string, port uint16) destination {
	return destination{"acme", netip.AddrPortFrom(netip.MustParseAddr(address), port), false}
}

func TestPublicAddressesAreAllowed(t *testing.T) {
	for _, text := range []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "140.82.121.6",
		"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
		"198.20.0.0", "223.255.255.255", "2606:4700::1111", "2001:200::1", "2001:4860:4860::8888", "2a00:1450::1",
		"::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "64:ff9b:1::8.8.8.8", "2002:808:808::1",
	} {
		if err := new(Policy).check(toward(text, 443)); err != nil {
			t.Errorf("%s is rejected: %v", text, err)
		}
		plain := toward(text, 80)
		plain.plain = true
		if err := (&Policy{Allow: rules(t, "127.0.0.0/8+http", "0.0.0.0/0", "::/0")}).check(plain); !errors.Is(err, ErrRefused) {
			t.Errorf("plain http to %s is allowed", text)
		}
	}
}

func TestRulesAllowTheirRange(t *testing.T) {
	for _, c := range []struct {
		name    string
		rule    string
		to      destination
		allowed bool
	}{
		{"its network", "10.1.0.0/16", toward("10.1.2.3", 8200), true},
		{"another network", "10.1.0.0/16", toward("10.2.0.1", 8200), false},
		{"its port", "10.1.0.0/16:8200", toward("10.1.2.3", 8200), true},
		{"another port", "10.1.0.0/16:8200", toward("10.1.2.3", 443), false},
		{"its workspace", "acme=10.1.0.0/16", toward("10.1.2.3", 443), true},
		{"another workspace", "other=10.1.0.0/16", toward("10.1.2.3", 443), false},
		{"mapped into IPv6", "10.1.0.0/16", toward("::ffff:10.1.2.3", 443), true},
		{"through NAT64", "10.1.0.0/16", toward("64:ff9b::10.1.2.3", 443), true},
		{"all IPv6 for an IPv4 inside", "::/0", toward("64:ff9b::10.1.2.3", 443), false},
		{"unique local", "fd00::/8", toward("fd12::1", 443), true},
		{"a wide rule for link-local", "0.0.0.0/0", toward("169.254.1.1", 443), false},
		{"a wider rule for link-local", "169.0.0.0/8", toward("169.254.169.254", 80), false},
		{"a rule for all link-local", "169.254.0.0/16", toward("169.254.169.254", 443), true},
		{"a rule for one of link-local", "169.254.169.254/32", toward("169.254.169.254", 443), true},
		{"link-local inside IPv6", "169.254.0.0/16", toward("::ffff:169.254.169.254", 443), true},
		{"a wide rule for link-local inside IPv6", "0.0.0.0/0", toward("64:ff9b::a9fe:a9fe", 443), false},
		{"a wide rule for link-local of IPv6", "::/0", toward("fe80::1", 443), false},
		{"its own for link-local of IPv6", "fe80::/10", toward("fe80::1%eth0", 443), true},
		{"unique local for metadata", "fd00::/8", toward("fd00:ec2::254", 80), false},
		{"its own for metadata", "fd00:ec2::254/128", toward("fd00:ec2::254", 80), true},
		{"shared space for metadata", "100.64.0.0/10", toward("100.100.100.200", 80), false},
		{"https on loopback", "127.0.0.0/8", toward("127.0.0.1", 443), true},
		{"http on loopback", "127.0.0.0/8+http", destination{"acme", netip.MustParseAddrPort("127.0.0.1:80"), true}, true},
		{"http on loopback of IPv6", "::1/128+http", destination{"acme", netip.MustParseAddrPort("[::1]:80"), true}, true},
		{"http without +http", "127.0.0.0/8", destination{"acme", netip.MustParseAddrPort("127.0.0.1:80"), true}, false},
		{"http to loopback through NAT64", "127.0.0.0/8+http", destination{"acme", netip.MustParseAddrPort("[64:ff9b::7f00:1]:80"), true}, false},
	} {
		err := (&Policy{Allow: rules(t, c.rule)}).check(c.to)
		if (err == nil) != c.allowed || err != nil && !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %s for %s: %v", c.name, c.rule, c.to.address, err)
		}
	}
}

func TestAPausedPolicyAllowsNothing(t *testing.T) {
	p := &Policy{Allow: rules(t, "0.0.0.0/0", "127.0.0.0/8+http"), Paused: true}
	for _, text := range []string{"8.8.8.8", "127.0.0.1", "10.0.0.1"} {
		if err := p.check(toward(text, 443)); !errors.Is(err, ErrPaused) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Each address is refused because of one range, which the error names. Without that range, the
// address would be public or would be called something else.
func TestEachSpecialRangeIsNamed(t *testing.T) {
	named := map[string]string{
		"0.1.2.3": "0.0.0.0/8", "10.1.2.3": "10.0.0.0/8", "100.64.1.2": "100.64.0.0/10", "127.1.2.3": "127.0.0.0/8", "169.254.1.2": "169.254.0.0/16",
		"172.16.1.2": "172.16.0.0/12", "192.0.0.1": "192.0.0.0/24", "192.0.2.1": "192.0.2.0/24", "192.31.196.1": "192.31.196.0/24", "192.52.193.1": "192.52.193.0/24",
		"192.88.99.1": "192.88.99.0/24", "192.168.1.2": "192.168.0.0/16", "192.175.48.1": "192.175.48.0/24", "198.18.1.2": "198.18.0.0/15",
		"198.51.100.1": "198.51.100.0/24", "203.0.113.1": "203.0.113.0/24", "224.1.2.3": "224.0.0.0/4", "240.1.2.3": "240.0.0.0/4", "168.63.129.16": "168.63.129.16/32",
		"::1": "::1/128", "::": "::/128", "100::1": "100::/64", "100:0:0:1::1": "100:0:0:1::/64", "2001::1": "2001::/23", "2001:db8::1": "2001:db8::/32",
		"2620:4f:8000::1": "2620:4f:8000::/48", "3fff::1": "3fff::/20", "5f00::1": "5f00::/16", "fc00::1": "fc00::/7", "fe80::1": "fe80::/10", "fec0::1": "fec0::/10",
		"ff02::1": "ff00::/8", "1000::1": "::/3", "4000::1": "4000::/2", "8000::1": "8000::/1",
	}
	for address, prefix := range named {
		err := new(Policy).check(toward(address, 443))
		var refused *refusal
		if !errors.As(err, &refused) || !strings.Contains(refused.hint, "is within "+prefix+" (") {
			t.Errorf("%s is not refused as part of %s: %v, %+v", address, prefix, err, refused)
		}
	}
	for _, s := range special {
		found := false
		for _, prefix := range named {
			found = found || prefix == s.prefix.String()
		}
		if !found {
			t.Errorf("no address of the table is within %s", s.prefix)
		}
	}
}

// Of each address, only one layout of RFC 6052 shows a private IPv4 address. The others show
// public ones.
func TestEachNAT64LayoutIsChecked(t *testing.T) {
	embedded := func(prefix string, bytes map[int]byte) netip.Addr {
		all := netip.MustParsePrefix(prefix).Addr().As16()
		for i := 6; i < 16; i++ {
			if i != 8 {
				all[i] = 8
			}
		}
		for i, b := range bytes {
			all[i] = b
		}
		return netip.AddrFrom16(all)
	}
	const local = "64:ff9b:1::/48"
	public := embedded(local, nil)
	if err := new(Policy).check(destination{"acme", netip.AddrPortFrom(public, 443), false}); err != nil {
		t.Fatalf("the control %s is refused: %v", public, err)
	}
	for layout, address := range map[string]netip.Addr{
		"a prefix of 48 bits": embedded(local, map[int]byte{6: 192, 7: 168}),
		"a prefix of 56 bits": embedded(local, map[int]byte{7: 192, 9: 168}),
		"a prefix of 64 bits": embedded(local, map[int]byte{9: 192, 10: 168}),
		"a prefix of 96 bits": embedded(local, map[int]byte{12: 192, 13: 168}),
		"NAT64 of RFC 6052":   netip.MustParseAddr("64:ff9b::192.168.8.8"),
		"6to4":                netip.MustParseAddr("2002:c0a8:808::808:808"),
		"mapped":              netip.MustParseAddr("::ffff:192.168.8.8"),
	} {
		private, inside := netip.MustParsePrefix("192.168.0.0/16"), 0
		for _, a := range effective(address) {
			if private.Contains(a) {
				inside++
			} else if _, isSpecial := purposeOf(a); isSpecial {
				t.Errorf("%s: %s also shows %s, so another layout refuses it", layout, address, a)
			}
		}
		err := new(Policy).check(destination{"acme", netip.AddrPortFrom(address, 443), false})
		if !errors.Is(err, ErrRefused) || inside != 1 {
			t.Errorf("%s: %s is allowed (%v), and shows %d private addresses", layout, address, err, inside)
		}
	}
}

// A wide rule does not include a restricted range; a rule of the range itself does. Neighbours of
// the range are within the wide rule.
func TestEachRestrictedRangeNeedsARuleOfItsOwn(t *testing.T) {
	tests := []struct {
		prefix, wide string
		inside       []string
		outside      []string // special-purpose, and allowed by the wide rule
	}{
		{"169.254.0.0/16", "168.0.0.0/7", []string{"169.254.0.0", "169.254.169.254", "169.254.255.255"}, nil},
		{"fe80::/10", "fe00::/8", []string{"fe80::", "fe80::1", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, []string{"fe7f::1", "fec0::1"}},
		{"100.100.100.200/32", "100.64.0.0/10", []string{"100.100.100.200"}, []string{"100.100.100.199", "100.100.100.201"}},
		{"168.63.129.16/32", "168.63.0.0/16", []string{"168.63.129.16"}, nil},
		{"192.0.0.192/32", "192.0.0.0/24", []string{"192.0.0.192"}, []string{"192.0.0.191", "192.0.0.193"}},
		{"fd00:c1::a9fe:a9fe/128", "fd00::/16", []string{"fd00:c1::a9fe:a9fe"}, []string{"fd00:c1::a9fe:a9fd", "fd00:c1::a9fe:a9ff"}},
		{"fd00:ec2::/32", "fd00::/8", []string{"fd00:ec2::", "fd00:ec2::254", "fd00:ec2:ffff:ffff:ffff:ffff:ffff:ffff"}, []string{"fd00:ec1::1", "fd00:ec3::"}},
		{"fd20:ce::254/128", "fd20::/16", []string{"fd20:ce::254"}, []string{"fd20:ce::253", "fd20:ce::255"}},
		{"fd00:42::42/128", "fd00:42::/32", []string{"fd00:42::42"}, []string{"fd00:42::41", "fd00:42::43"}},
	}
	for i, c := range tests {
		if i >= len(restricted) || restricted[i].String() != c.prefix {
			t.Fatalf("row %d of the table is for %s, and the range is another one", i, c.prefix)
		}
		wide, own := Policy{Allow: rules(t, c.wide)}, Policy{Allow: rules(t, c.wide, c.prefix)}
		for _, address := range c.inside {
			if err := wide.check(toward(address, 443)); !errors.Is(err, ErrRefused) {
				t.Errorf("%s allows %s (%v)", c.wide, address, err)
			}
			if err := own.check(toward(address, 443)); err != nil {
				t.Errorf("%s does not allow %s: %v", c.prefix, address, err)
			}
		}
		for _, address := range c.outside {
			if err := wide.check(toward(address, 443)); err != nil {
				t.Errorf("%s does not allow %s: %v", c.wide, address, err)
			}
		}
	}
	if len(tests) != len(restricted) {
		t.Errorf("the table has %d rows for %d ranges", len(tests), len(restricted))
	}
}

func TestPlainHTTPNeedsARuleBeforeItIsStored(t *testing.T) {
	for _, c := range []struct {
		address string
		rules   []string
		want    bool
	}{
		{"https://vault.example.com", nil, true},
		{"https://10.0.0.1", nil, true},
		{"http://127.0.0.1:8200", nil, false},
		{"HTTP://127.0.0.1:8200", nil, false},
		{"http://127.0.0.1:8200", []string{"127.0.0.0/8"}, false},
		{"http://127.0.0.1:8200", []string{"127.0.0.0/8+http"}, true},
		{"http://127.0.0.1:8200", []string{"127.0.0.0/8:8200+http"}, true},
		{"http://127.0.0.1:8200", []string{"127.0.0.0/8:8201+http"}, false},
		{"http://127.0.0.1", []string{"127.0.0.0/8:80+http"}, true},
		{"http://127.0.0.1:8200", []string{"acme=127.0.0.0/8+http"}, true},
		{"http://127.0.0.1:8200", []string{"other=127.0.0.0/8+http"}, false},
		{"http://127.0.0.2:8200", []string{"127.0.0.1/32+http"}, false},
		{"http://[::1]:8200", []string{"127.0.0.0/8+http"}, false},
		{"http://[::1]:8200", []string{"::1/128+http"}, true},
		{"http://10.0.0.1", []string{"0.0.0.0/0", "127.0.0.0/8+http"}, false},
		{"http://8.8.8.8", []string{"127.0.0.0/8+http"}, false},
		// A name is not resolved before it is stored.
		{"http://localhost:8200", []string{"127.0.0.0/8+http"}, true},
		{"http://localhost:8200", []string{"127.0.0.0/8:8201+http"}, false},
		{"http://localhost:8200", []string{"127.0.0.0/8"}, false},
		{"http://localhost:8200", nil, false},
	} {
		g := NewGateway(Options{})
		g.Enforce(Policy{Allow: rules(t, c.rules...), Paused: true}) // a pause is no reason to refuse a setting
		err := g.CheckPlainHTTP("acme", c.address)
		if (err == nil) != c.want || err != nil && !strings.Contains(err.Error(), "egress_allow") {
			t.Errorf("%s with %q: %v", c.address, c.rules, err)
		}
	}
}
