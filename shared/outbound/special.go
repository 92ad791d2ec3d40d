package outbound

import "net/netip"

// purpose is a range of addresses that is not the public Internet, with what it is for.
type purpose struct {
	prefix netip.Prefix
	use    string
}

// special are the ranges that are dialled only where a rule says so: those of IANA's IPv4 and IPv6 Special-Purpose Address Registries
// (iana.org/assignments/iana-ipv4-special-registry and -ipv6-, last updated 2025-10-09), also those that are marked there as globally
// reachable, for no provider has a reason to be in one; multicast; and of IPv6 all that is no global unicast address (RFC 4291). The
// ranges that carry an IPv4 address are in embedding instead. The first that holds an address names it.
var special = []purpose{
	{netip.MustParsePrefix("0.0.0.0/8"), "this network"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private use"},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared address space"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local and cloud metadata"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private use"},
	{netip.MustParsePrefix("192.0.0.0/24"), "IETF protocol assignments"},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation"},
	{netip.MustParsePrefix("192.31.196.0/24"), "AS112"},
	{netip.MustParsePrefix("192.52.193.0/24"), "AMT"},
	{netip.MustParsePrefix("192.88.99.0/24"), "6to4 relays"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private use"},
	{netip.MustParsePrefix("192.175.48.0/24"), "AS112"},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking"},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},
	{netip.MustParsePrefix("168.63.129.16/32"), "cloud metadata"}, // Azure's WireServer: a public number, answered by the host itself

	{netip.MustParsePrefix("::1/128"), "loopback"},
	{netip.MustParsePrefix("::/128"), "unspecified"},
	{netip.MustParsePrefix("100::/64"), "discard only"},
	{netip.MustParsePrefix("100:0:0:1::/64"), "dummy prefix"},
	{netip.MustParsePrefix("2001::/23"), "IETF protocol assignments"},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation"},
	{netip.MustParsePrefix("2620:4f:8000::/48"), "AS112"},
	{netip.MustParsePrefix("3fff::/20"), "documentation"},
	{netip.MustParsePrefix("5f00::/16"), "segment routing"},
	{netip.MustParsePrefix("fc00::/7"), "unique local"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("fec0::/10"), "site-local"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
	{netip.MustParsePrefix("::/3"), "no global unicast"},
	{netip.MustParsePrefix("4000::/2"), "no global unicast"},
	{netip.MustParsePrefix("8000::/1"), "no global unicast"},
}

// apart are the ranges that only a rule for them, or for a part of them, allows: a machine's own link, and the metadata services of
// clouds, which hand credentials to whoever asks. Who writes a rule for a wider range means something else.
var apart = []netip.Prefix{
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("100.100.100.200/32"),     // Alibaba Cloud
	netip.MustParsePrefix("168.63.129.16/32"),       // Azure
	netip.MustParsePrefix("192.0.0.192/32"),         // Oracle Cloud
	netip.MustParsePrefix("fd00:c1::a9fe:a9fe/128"), // Oracle Cloud
	netip.MustParsePrefix("fd00:ec2::/32"),          // Amazon EC2: metadata, name server, time
	netip.MustParsePrefix("fd20:ce::254/128"),       // Google Cloud
	netip.MustParsePrefix("fd00:42::42/128"),        // Scaleway
}

// embedding are the IPv6 ranges whose addresses stand for IPv4 addresses, and which bytes of an address may be those of the IPv4 one.
var embedding = []struct {
	prefix  netip.Prefix
	layouts [][4]int
}{
	{netip.MustParsePrefix("::ffff:0:0/96"), [][4]int{{12, 13, 14, 15}}}, // IPv4-mapped: RFC 4291
	{netip.MustParsePrefix("64:ff9b::/96"), [][4]int{{12, 13, 14, 15}}},  // NAT64: RFC 6052
	// NAT64 of one's own: RFC 8215. The translator's prefix, and with it the place (RFC 6052, 2.2), is not known here.
	{netip.MustParsePrefix("64:ff9b:1::/48"), [][4]int{{6, 7, 9, 10}, {7, 9, 10, 11}, {9, 10, 11, 12}, {12, 13, 14, 15}}},
	{netip.MustParsePrefix("2002::/16"), [][4]int{{2, 3, 4, 5}}}, // 6to4: RFC 3056
}

var thisNetwork = netip.MustParsePrefix("0.0.0.0/8")

// meant answers the addresses that an address may stand for: itself, or the IPv4 addresses inside. Where there is more than one place
// for them, all but those of 0.0.0.0/8 count, which are what an unused place holds; none left means that it stands for nothing.
func meant(a netip.Addr) []netip.Addr {
	a = a.WithZone("")
	for _, e := range embedding {
		if !a.Is6() || !holds(e.prefix, a) {
			continue
		}
		bytes := a.As16()
		var inside []netip.Addr
		for _, at := range e.layouts {
			v4 := netip.AddrFrom4([4]byte{bytes[at[0]], bytes[at[1]], bytes[at[2]], bytes[at[3]]})
			if len(e.layouts) == 1 || !thisNetwork.Contains(v4) {
				inside = append(inside, v4)
			}
		}
		return inside
	}
	return []netip.Addr{a}
}

// holds is Contains by the bytes of IPv6: netip takes a mapped address for no member of the range of mapped ones.
func holds(p netip.Prefix, a netip.Addr) bool {
	bytes, first := a.As16(), p.Addr().As16()
	for i := range p.Bits() {
		if (bytes[i/8]^first[i/8])>>(7-i%8)&1 != 0 {
			return false
		}
	}
	return true
}

// purposeOf answers the special range that an address is in.
func purposeOf(a netip.Addr) (purpose, bool) {
	for _, p := range special {
		if p.prefix.Contains(a) {
			return p, true
		}
	}
	return purpose{}, false
}

// isApart answers the range of apart that an address is in.
func isApart(a netip.Addr) (netip.Prefix, bool) {
	for _, p := range apart {
		if p.Contains(a) {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// within reports whether the whole of inner is in outer.
func within(inner, outer netip.Prefix) bool {
	return inner.Bits() >= outer.Bits() && outer.Contains(inner.Addr())
}
