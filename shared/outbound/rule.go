package outbound

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// Rule allows connections to a special-purpose range of addresses. Its form in egress_allow is
// `[workspace=]CIDR[:port][+http]`.
type Rule struct {
	Workspace string // "" for every workspace
	Prefix    netip.Prefix
	Port      uint16 // 0 for every port
	HTTP      bool   // also allows plain http; only for loopback
}

// maxRule is longer than any rule: a workspace name of 64 bytes, the longest network and a port.
const maxRule = 160

// ParseRule parses a rule. Its error describes valid rules and contains no part of text.
func ParseRule(text string) (Rule, error) {
	if len(text) > maxRule {
		return Rule{}, errors.New("is too long: a rule is [workspace=]CIDR[:port][+http]")
	}
	var r Rule
	rest := text
	if workspace, after, scoped := strings.Cut(text, "="); scoped {
		if !isName(workspace) {
			return Rule{}, errors.New("must have a workspace name before '=', such as acme=10.1.0.0/16")
		}
		r.Workspace, rest = workspace, after
	}
	rest, r.HTTP = strings.CutSuffix(rest, "+http")
	network, after, ok := strings.Cut(rest, "/")
	bits, port, hasPort := strings.Cut(after, ":")
	if !ok {
		return Rule{}, errors.New("must be [workspace=]CIDR[:port][+http], such as 10.1.0.0/16 or acme=192.168.7.5/32:8200; a single address needs /32 or /128")
	}
	var err error
	if r.Prefix, err = parseNetwork(network + "/" + bits); err != nil {
		return Rule{}, err
	}
	if hasPort {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || port[0] == '0' || port[0] == '+' {
			return Rule{}, errors.New("must have a port from 1 to 65535 after ':', or no ':' for all ports")
		}
		r.Port = uint16(n)
	}
	if r.HTTP && !isLoopback(r.Prefix) {
		return Rule{}, errors.New("must not have +http except for loopback addresses, which are within 127.0.0.0/8 or ::1/128")
	}
	return r, nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, errors.New("must have a network of the form address/bits, such as 10.1.0.0/16 or fd12:3456::/32")
	case p != p.Masked():
		return netip.Prefix{}, errors.New("must have the first address of the network: all bits after the prefix must be zero")
	case p.Addr().Is4In6():
		return netip.Prefix{}, errors.New("must have an IPv4 network in its own form, not mapped to IPv6")
	}
	for _, e := range embedding {
		if within(p, e.prefix) {
			return netip.Prefix{}, errors.New("must have an IPv4 network: addresses of NAT64 and 6to4 are checked by the IPv4 address in them")
		}
	}
	for _, s := range special {
		if s.prefix.Overlaps(p) {
			return p, nil
		}
	}
	return netip.Prefix{}, errors.New("must have a special-purpose range, such as a private network: public addresses need no rule")
}

// String returns the rule in the canonical form that ParseRule accepts.
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

// concerns reports whether the rule is for the workspace and the port of a connection.
func (r Rule) concerns(to destination) bool {
	return (r.Workspace == "" || r.Workspace == to.workspace) && (r.Port == 0 || r.Port == to.address.Port())
}

// allows reports whether the rule allows a connection to a special-purpose address.
func (r Rule) allows(to destination, a netip.Addr) bool {
	if !r.concerns(to) || to.plain && !r.HTTP {
		return false
	}
	if own, ok := restrictedRange(a); ok && !within(r.Prefix, own) {
		return false
	}
	return r.Prefix.Contains(a)
}

func isLoopback(p netip.Prefix) bool {
	return within(p, netip.MustParsePrefix("127.0.0.0/8")) || within(p, netip.MustParsePrefix("::1/128"))
}

// isName reports whether text is a valid workspace name in the engine.
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
