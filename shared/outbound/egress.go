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

var errRule = errors.New("must be rules [workspace=]CIDR[:port][+http], such as 10.20.0.0/16:8200, [fd00:1::/64]:8200 or 127.0.0.0/8+http")

// ParseRule reads a rule. Its error says what would be right and holds nothing of the text.
func ParseRule(text string) (Rule, error) {
	var r Rule
	if owner, rest, scoped := strings.Cut(text, "="); scoped {
		if owner == "" {
			return Rule{}, errRule
		}
		r.Workspace, text = owner, rest
	}
	text, r.HTTP = strings.CutSuffix(text, "+http")
	cidr, port := text, ""
	if inner, bracketed := strings.CutPrefix(text, "["); bracketed {
		var closed bool
		if cidr, port, closed = strings.Cut(inner, "]"); !closed {
			return Rule{}, errRule
		}
		if port != "" {
			if port, closed = strings.CutPrefix(port, ":"); !closed || port == "" {
				return Rule{}, errRule
			}
		}
	} else if strings.Count(text, ":") == 1 {
		cidr, port, _ = strings.Cut(text, ":")
		if port == "" {
			return Rule{}, errRule
		}
	}
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil || prefix != prefix.Masked() || prefix.Addr().Is4In6() {
		return Rule{}, errRule
	}
	r.Prefix = prefix
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || port[0] == '0' {
			return Rule{}, errRule
		}
		r.Port = uint16(n)
	}
	if r.HTTP && !loopbackOnly(prefix) {
		return Rule{}, errors.New("allows plain http for loopback addresses only: 127.0.0.0/8 or ::1/128, and what is in them")
	}
	return r, nil
}

// String is the one text of a rule.
func (r Rule) String() string {
	var b strings.Builder
	if r.Workspace != "" {
		b.WriteString(r.Workspace + "=")
	}
	switch {
	case r.Port == 0:
		b.WriteString(r.Prefix.String())
	case r.Prefix.Addr().Is6():
		b.WriteString("[" + r.Prefix.String() + "]:" + strconv.Itoa(int(r.Port)))
	default:
		b.WriteString(r.Prefix.String() + ":" + strconv.Itoa(int(r.Port)))
	}
	if r.HTTP {
		b.WriteString("+http")
	}
	return b.String()
}

// covers reports whether a rule allows an address, which is plain.
func (r Rule) covers(workspace string, a netip.AddrPort) bool {
	if r.Workspace != "" && r.Workspace != workspace || r.Port != 0 && r.Port != a.Port() || !r.Prefix.Contains(a.Addr()) {
		return false
	}
	for _, p := range apart {
		if p.Contains(a.Addr()) && r.Prefix.Bits() < p.Bits() {
			return false
		}
	}
	return true
}

// allows judges an address that is about to be dialled. Public ones are open to https; all others, and plain http, need a rule.
func (p Policy) allows(workspace string, to netip.AddrPort, http bool) bool {
	to = netip.AddrPortFrom(plain(to.Addr()), to.Port())
	if !to.Addr().IsValid() || p.Paused {
		return false
	}
	if !http && !within(special, to.Addr()) && !within(apart, to.Addr()) {
		return true
	}
	if http && !within(loopbacks, to.Addr()) {
		return false
	}
	for _, r := range p.Allow {
		if (r.HTTP || !http) && r.covers(workspace, to) {
			return true
		}
	}
	return false
}
