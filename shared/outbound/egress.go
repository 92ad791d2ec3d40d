package outbound

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
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
	u, err := ParseProxy(p.Proxy)
	if err != nil {
		return nil, &refusal{"proxy_url of the mount " + err.Error(), ErrRefused}
	}
	return u, nil
}

// ParseProxy parses the URL of a proxy and fills in its port. The error describes valid URLs and
// contains no part of text.
func ParseProxy(text string) (*url.URL, error) {
	wrong := errors.New("must be http://HOST:PORT or https://HOST:PORT, such as http://proxy.example.com:3128, without user name, path, query or fragment")
	u, err := url.Parse(text)
	if err != nil || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#") {
		return nil, wrong
	}
	usual := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	host, port := u.Hostname(), cmp.Or(u.Port(), usual)
	if _, err := netip.ParseAddr(host); err != nil && !proxyHost.MatchString(host) {
		return nil, wrong
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || usual == "" {
		return nil, wrong
	}
	return &url.URL{Scheme: u.Scheme, Host: net.JoinHostPort(host, port)}, nil
}

// proxyHost matches a DNS name.
var proxyHost = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$`)
