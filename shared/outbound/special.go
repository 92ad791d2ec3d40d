package outbound

import "net/netip"

// purpose is a range of addresses that is not part of the public Internet, with its use.
type purpose struct {
	prefix netip.Prefix
	use    string
}

// special lists the ranges that are dialled only if a rule allows them:
//
//   - The ranges of IANA's IPv4 and IPv6 Special-Purpose Address Registries
//     (iana.org/assignments/iana-ipv4-special-registry and -ipv6-, last updated 2025-10-09). They
//     include those marked as globally reachable, because no provider has a reason to use them.
//   - Multicast.
//   - All IPv6 addresses that are not global unicast (RFC 4291).
//
// Ranges that contain an IPv4 address are listed in embedding instead. The first range that
// contains an address determines its use.
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
	// Azure's WireServer: a public address that the host itself serves.
	{netip.MustParsePrefix("168.63.129.16/32"), "cloud metadata"},

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

// restricted lists the ranges that only a rule for the range itself, or for a part of it, allows:
// link-local addresses and the metadata services of clouds, which hand credentials to any client. A
// rule for a larger range is usually not meant to include them.
var restricted = []netip.Prefix{
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

// embedding lists the IPv6 ranges whose addresses represent IPv4 addresses, with the possible
// positions of the IPv4 bytes.
var embedding = []struct {
	prefix  netip.Prefix
	layouts [][4]int
}{
	{netip.MustParsePrefix("::ffff:0:0/96"), [][4]int{{12, 13, 14, 15}}}, // IPv4-mapped: RFC 4291
	{netip.MustParsePrefix("64:ff9b::/96"), [][4]int{{12, 13, 14, 15}}},  // NAT64: RFC 6052
	// Local NAT64: RFC 8215. The prefix of the translator is not known here, so all positions of
	// RFC 6052, section 2.2, are possible.
	{netip.MustParsePrefix("64:ff9b:1::/48"), [][4]int{{6, 7, 9, 10}, {7, 9, 10, 11}, {9, 10, 11, 12}, {12, 13, 14, 15}}},
	{netip.MustParsePrefix("2002::/16"), [][4]int{{2, 3, 4, 5}}}, // 6to4: RFC 3056
}

var thisNetwork = netip.MustParsePrefix("0.0.0.0/8")

// effective returns the addresses that an address may represent: itself, or the IPv4 addresses in
// it. If several positions are possible, addresses of 0.0.0.0/8 are ignored, because an unused
// position contains zeros. An empty result means that the address represents none.
func effective(a netip.Addr) []netip.Addr {
	a = a.WithZone("")
	for _, e := range embedding {
		if !a.Is6() || !contains(e.prefix, a) {
			continue
		}
		bytes := a.As16()
		var inside []netip.Addr
		for _, layout := range e.layouts {
			v4 := netip.AddrFrom4([4]byte{bytes[layout[0]], bytes[layout[1]], bytes[layout[2]], bytes[layout[3]]})
			if len(e.layouts) == 1 || !thisNetwork.Contains(v4) {
				inside = append(inside, v4)
			}
		}
		return inside
	}
	return []netip.Addr{a}
}

// contains compares the bytes of IPv6 addresses. netip.Prefix.Contains reports false for a mapped
// address in the range of mapped addresses.
func contains(p netip.Prefix, a netip.Addr) bool {
	bytes, first := a.As16(), p.Addr().As16()
	for i := range p.Bits() {
		if (bytes[i/8]^first[i/8])>>(7-i%8)&1 != 0 {
			return false
		}
	}
	return true
}

// purposeOf returns the first special range that contains an address.
func purposeOf(a netip.Addr) (purpose, bool) {
	for _, p := range special {
		if p.prefix.Contains(a) {
			return p, true
		}
	}
	return purpose{}, false
}

// restrictedRange returns the restricted range that contains an address.
func restrictedRange(a netip.Addr) (netip.Prefix, bool) {
	for _, p := range restricted {
		if p.Contains(a) {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// within reports whether inner is completely inside outer.
func within(inner, outer netip.Prefix) bool {
	return inner.Bits() >= outer.Bits() && outer.Contains(inner.Addr())
}
