package outbound

import "net/netip"

// special are the special-purpose ranges of IANA's IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890; as of October 2025), with
// multicast. Nothing in them is public, but for the few that a registry marks as globally reachable, which are left out.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"::/8", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
	"5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)

// apart are ranges that a rule allows only when it is one of them, or within one: a machine's own link and the metadata services of
// clouds, which hand credentials to whoever asks. A rule for a wider range was meant for something else.
var apart = prefixes(
	"169.254.0.0/16", "fe80::/10",
	"fd00:ec2::/32",      // Amazon EC2
	"100.100.100.200/32", // Alibaba Cloud
	"192.0.0.192/32",     // Oracle Cloud
	"fd20:ce::254/128",   // Google Cloud
)

var loopbacks = prefixes("127.0.0.0/8", "::1/128")

// embedding are IPv6 ranges whose addresses carry an IPv4 address, and at which byte.
var embedding = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("::ffff:0:0/96"), 12},  // IPv4-mapped (RFC 4291)
	{netip.MustParsePrefix("64:ff9b::/96"), 12},   // NAT64 (RFC 6052)
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12}, // NAT64 for local use (RFC 8215), with the longest prefix
	{netip.MustParsePrefix("2002::/16"), 2},       // 6to4 (RFC 3056)
}

func prefixes(all ...string) []netip.Prefix {
	parsed := make([]netip.Prefix, len(all))
	for i, text := range all {
		parsed[i] = netip.MustParsePrefix(text)
	}
	return parsed
}

// plain answers the address that an address stands for: an embedded IPv4 address where there is one, without a zone.
func plain(a netip.Addr) netip.Addr {
	a = a.WithZone("")
	for _, e := range embedding {
		if e.prefix.Contains(a) {
			bytes := a.As16()
			return netip.AddrFrom4([4]byte(bytes[e.at : e.at+4]))
		}
	}
	return a.Unmap()
}

func within(all []netip.Prefix, a netip.Addr) bool {
	for _, p := range all {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func loopbackOnly(p netip.Prefix) bool {
	for _, l := range loopbacks {
		if l.Bits() <= p.Bits() && l.Contains(p.Addr()) {
			return true
		}
	}
	return false
}
