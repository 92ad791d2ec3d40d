package outbound

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// shapes matches credentials that could have entered one of our texts: through a hint, or because a
// service returned a part of the request as its request id.
var shapes = regexp.MustCompile(`(?i)` +
	// GitHub, including stateless installation tokens
	`gh[a-z]_[A-Za-z0-9._]{16,}|github_pat_\w{16,}` +
	`|gl[a-z]{2,5}-[\w.-]{16,}` + // GitLab
	`|\b(hv[sbr]|[sbr])\.[\w-]{20,}` + // Vault
	`|\b(AKIA|ASIA)[A-Z0-9]{12,}` + // AWS
	`|\beyJ[\w-]{8,}(\.[\w-]+)*` + // JSON Web Tokens
	`|\bvc[a-z]_\w{16,}|\bxox[a-z]-[\w-]{10,}|\bsk[-_][\w-]{16,}` + // Vercel, Slack, others
	`|\b(bearer|basic)\s+[\w.~+/=-]{8,}`)

func redact(text string) string { return shapes.ReplaceAllString(text, "[redacted]") }

// Shown returns a text of a service as it may be shown: at most most bytes, credentials of known
// shapes redacted, and every character that is not printable replaced by '?'.
func Shown(text string, most int) string {
	shown := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text[:min(len(text), 4*most)])
	if shown = redact(shown); len(shown) <= most {
		return shown
	}
	const more = "..."
	end := max(0, most-len(more))
	for end > 0 && !utf8.RuneStart(shown[end]) {
		end--
	}
	return shown[:end] + more
}

// idHeaders are the headers in which services send their request id, the most specific first.
var idHeaders = []string{"X-Github-Request-Id", "X-Vercel-Id", "X-Amzn-Requestid", "Cf-Ray", "X-Request-Id", "Request-Id"}

const (
	maxID = 96 // bytes; Vercel's ids have about 60
	// echo is the number of consecutive bytes of the request that an id must not contain.
	echo = 8
)

// requestID returns the service's id of a request, or "" if there is none that is safe to show. A
// safe id has only characters that are usual in ids and contains no part of the request.
func requestID(header http.Header, sent Request) string {
	for _, name := range idHeaders {
		id := header.Get(name)
		if id == "" {
			continue
		}
		if len(id) > maxID || !isID(id) || redact(id) != id || containsRequest(id, sent) {
			return ""
		}
		return id
	}
	return ""
}

func isID(text string) bool {
	for _, c := range []byte(text) {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c != '-' && c != '_' && c != '.' && c != ':' {
			return false
		}
	}
	return true
}

// containsRequest reports whether an id contains a part of the request.
func containsRequest(id string, sent Request) bool {
	parts := [][]byte{[]byte(sent.URL), sent.Body}
	for _, values := range sent.Header {
		for _, v := range values {
			parts = append(parts, []byte(v))
		}
	}
	for _, part := range parts {
		if len(part) > 0 && len(part) < echo && bytes.Contains([]byte(id), part) && len(part) > 3 {
			return true
		}
		for i := 0; i+echo <= len(id); i++ {
			if bytes.Contains(part, []byte(id[i:i+echo])) {
				return true
			}
		}
	}
	return false
}
