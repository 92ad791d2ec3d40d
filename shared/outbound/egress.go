package outbound

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Causes of errors of class Network that come from the mount's own configuration. Use them with
// errors.Is.
var (
	// ErrRefused is returned for an address that the egress policy does not allow.
	ErrRefused = errors.New("refused by the egress policy")
	// ErrPaused is returned while the policy is paused.
	ErrPaused = errors.New("outbound requests are paused")
)

// Policy is the egress policy in the mount's configuration. It is immutable.
type Policy struct {
	Allow  []Rule
	Proxy  string // URL of an HTTP proxy; "" for none. Environment variables are ignored
	Paused bool   // blocks all requests
}

// destination is the remote end of a connection.
type destination struct {
	workspace string
	address   netip.AddrPort
	plain     bool // http, without TLS
}

// refusal is the reason why the policy does not allow a connection. The hint contains only our own
// words.
type refusal struct {
	hint  string
	cause error
}

func (r *refusal) Error() string { return r.cause.Error() }

func (r *refusal) Unwrap() error { return r.cause }

// check returns why the policy does not allow a connection, or nil if it does.
func (p *Policy) check(to destination) error {
	if p.Paused {
		return &refusal{"outbound requests are paused in the mount's configuration: an operator can resume them with paused=false", ErrPaused}
	}
	all := effective(to.address.Addr())
	if len(all) == 0 {
		return &refusal{"the host's address is a translation address without an IPv4 address in it", ErrRefused}
	}
	for _, a := range all {
		if err := p.checkAddress(to, a); err != nil {
			return err
		}
	}
	return nil
}

func (p *Policy) checkAddress(to destination, a netip.Addr) error {
	if to.plain && !to.direct() {
		return &refusal{"plain http is allowed only to loopback addresses: use https", ErrRefused}
	}
	kind, ok := purposeOf(a)
	if !ok {
		return nil
	}
	for _, r := range p.Allow {
		if r.allows(to, a) {
			return nil
		}
	}
	what := fmt.Sprintf("the host's address is within %s (%s), which the egress policy does not allow", kind.prefix, kind.use)
	if own, ok := restrictedRange(a); ok {
		return &refusal{what + fmt.Sprintf(": an operator can add a rule to egress_allow for a network within %s", own), ErrRefused}
	}
	if to.plain {
		return &refusal{what + " for plain http: use https, or ask an operator to add a rule with +http to egress_allow", ErrRefused}
	}
	return &refusal{what + ": an operator can add a rule to egress_allow", ErrRefused}
}

// proxy returns the URL of the proxy, or nil if there is none. An invalid URL is an error, so that
// no request bypasses the proxy.
func (p *Policy) proxy() (*url.URL, error) {
	if p.Proxy == "" {
		return nil, nil
	}
	u, err := url.Parse(p.Proxy)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil && strings.Trim(u.Path, "/") == "" {
		return u, nil
	}
	return nil, &refusal{"proxy_url of the mount must be http://HOST:PORT or https://HOST:PORT, without a user name or path", ErrRefused}
}
