package outbound

import (
	"errors"
	"net/netip"
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
