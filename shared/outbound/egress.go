package outbound

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Causes of errors of class Network that stand for our own refusal, for errors.Is.
var (
	// ErrRefused is for an address that the egress policy does not allow.
	ErrRefused = errors.New("refused by the egress policy")
	// ErrPaused is for a request while the policy is paused.
	ErrPaused = errors.New("everything outbound is paused")
)

// Policy is what the mount's configuration says about the way out. It is immutable.
type Policy struct {
	Allow  []Rule
	Proxy  string // URL of an HTTP proxy; "" for none. Nothing is taken from the environment
	Paused bool   // nothing goes out
}

// destination is where a connection leads to.
type destination struct {
	workspace string
	address   netip.AddrPort
	plain     bool // http, without TLS
}

// refusal is why we ourselves do not connect. The hint is our words only.
type refusal struct {
	hint  string
	cause error
}

func (r *refusal) Error() string { return r.cause.Error() }

func (r *refusal) Unwrap() error { return r.cause }

// judge answers why a connection may not be made, or nil.
func (p *Policy) judge(to destination) error {
	if p.Paused {
		return &refusal{"everything outbound is paused by the mount's configuration: an operator can end that with paused=false", ErrPaused}
	}
	all := meant(to.address.Addr())
	if len(all) == 0 {
		return &refusal{"the host's address stands for no other one", ErrRefused}
	}
	for _, a := range all {
		if err := p.judgeOne(to, a); err != nil {
			return err
		}
	}
	return nil
}

func (p *Policy) judgeOne(to destination, a netip.Addr) error {
	if to.plain && !to.direct() {
		return &refusal{"plain http goes to loopback addresses alone: use https", ErrRefused}
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
	if own, isOwn := isApart(a); isOwn {
		return &refusal{what + fmt.Sprintf(": it takes a rule of egress_allow for a network within %s", own), ErrRefused}
	}
	if to.plain {
		return &refusal{what + " for plain http: use https, or have an operator add a rule with +http to egress_allow", ErrRefused}
	}
	return &refusal{what + ": an operator can add a rule to egress_allow", ErrRefused}
}

// proxy answers where the proxy is, or nil. A proxy that cannot be understood lets nothing pass.
func (p *Policy) proxy() (*url.URL, error) {
	if p.Proxy == "" {
		return nil, nil
	}
	u, err := url.Parse(p.Proxy)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil && strings.Trim(u.Path, "/") == "" {
		return u, nil
	}
	return nil, &refusal{"the mount's proxy_url must be http://HOST:PORT or https://HOST:PORT, without user name and path", ErrRefused}
}
