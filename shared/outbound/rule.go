package outbound

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// Rule allows a special-purpose range of addresses: `[workspace=]CIDR[:port][+http]`, as egress_allow has them.
type Rule struct {
	Workspace string // "" for every workspace
	Prefix    netip.Prefix
	Port      uint16 // 0 for every port
	HTTP      bool   // plain http is allowed too; loopback only
}

// maxRule is longer than any rule: a workspace's name of 64 bytes, the longest network and port.
const maxRule = 160

// ParseRule reads a rule. Its error says what would be right and holds nothing of the text.
func ParseRule(text string) (Rule, error) {
	if len(text) > maxRule {
		return Rule{}, errors.New("is too long: a rule is [workspace=]CIDR[:port][+http]")
	}
	var r Rule
	rest := text
	if workspace, after, scoped := strings.Cut(text, "="); scoped {
		if !isName(workspace) {
			return Rule{}, errors.New("must have the name of a workspace before '=', such as acme=10.1.0.0/16")
		}
		r.Workspace, rest = workspace, after
	}
	rest, r.HTTP = strings.CutSuffix(rest, "+http")
	network, after, ok := strings.Cut(rest, "/")
	bits, port, hasPort := strings.Cut(after, ":")
	if !ok {
		return Rule{}, errors.New("must be [workspace=]CIDR[:port][+http], such as 10.1.0.0/16 or acme=192.168.7.5/32:8200; a single address is written with /32 or /128")
	}
	var err error
	if r.Prefix, err = parseNetwork(network + "/" + bits); err != nil {
		return Rule{}, err
	}
	if hasPort {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || port[0] == '0' || port[0] == '+' {
			return Rule{}, errors.New("must have a port from 1 to 65535 after ':', or none for all ports")
		}
		r.Port = uint16(n)
	}
	if r.HTTP && !isLoopback(r.Prefix) {
		return Rule{}, errors.New("may say +http of loopback addresses alone, which are within 127.0.0.0/8 or ::1/128")
	}
	return r, nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, errors.New("must name a network as address/bits, such as 10.1.0.0/16 or fd12:3456::/32")
	case p != p.Masked():
		return netip.Prefix{}, errors.New("must name a network by its first address: the bits behind those of the prefix are zero")
	case p.Addr().Is4In6():
		return netip.Prefix{}, errors.New("must name a network of IPv4 addresses as such, not as mapped into IPv6")
	}
	for _, e := range embedding {
		if within(p, e.prefix) {
			return netip.Prefix{}, errors.New("must name the IPv4 network that is meant: addresses of NAT64 and 6to4 are judged by the one inside")
		}
	}
	for _, s := range special {
		if s.prefix.Overlaps(p) {
			return p, nil
		}
	}
	return netip.Prefix{}, errors.New("must name a special-purpose range, such as a private network: public addresses need no rule")
}

// String answers the rule as ParseRule reads it, in its only form.
func (r Rule) String() string {
	var b strings.Builder
	if r.Workspace != "" {
		b.WriteString(r.Workspace + "=")
	}
	b.WriteString(r.Prefix.String())
	if r.Port != 0 {
		b.WriteString(":" + strconv.Itoa(int(r.Port)))
	}
	if r.HTTP {
		b.WriteString("+http")
	}
	return b.String()
}

// allows reports whether the rule lets a connection to a special-purpose address pass.
func (r Rule) allows(to destination, a netip.Addr) bool {
	if r.Workspace != "" && r.Workspace != to.workspace || r.Port != 0 && r.Port != to.address.Port() || to.plain && !r.HTTP {
		return false
	}
	if own, ok := isApart(a); ok && !within(r.Prefix, own) {
		return false
	}
	return r.Prefix.Contains(a)
}

func isLoopback(p netip.Prefix) bool {
	return within(p, netip.MustParsePrefix("127.0.0.0/8")) || within(p, netip.MustParsePrefix("::1/128"))
}

// isName is the engine's rule for the name of a workspace.
func isName(text string) bool {
	if text == "" || len(text) > 64 {
		return false
	}
	for i, c := range []byte(text) {
		letter := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !letter && (c != '-' && c != '_' || i == 0 || i == len(text)-1) {
			return false
		}
	}
	return true
}
