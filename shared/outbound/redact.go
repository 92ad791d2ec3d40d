package outbound

import (
	"bytes"
	"net/http"
	"regexp"
)

// shapes are those of credentials that could have slipped into a text of ours: through a hint, or by an other side that gives back as
// its request's id what it was sent.
var shapes = regexp.MustCompile(`(?i)` +
	`gh[a-z]_[A-Za-z0-9._]{16,}|github_pat_\w{16,}` + // GitHub, the stateless installation tokens included
	`|gl[a-z]{2,5}-[\w.-]{16,}` + // GitLab
	`|\b(hv[sbr]|[sbr])\.[\w-]{20,}` + // Vault
	`|\b(AKIA|ASIA)[A-Z0-9]{12,}` + // AWS
	`|\beyJ[\w-]{8,}(\.[\w-]+)*` + // JSON Web Tokens
	`|\bvc[a-z]_\w{16,}|\bxox[a-z]-[\w-]{10,}|\bsk[-_][\w-]{16,}` + // Vercel, Slack, others
	`|\b(bearer|basic)\s+[\w.~+/=-]{8,}`)

func redact(text string) string { return shapes.ReplaceAllString(text, "[redacted]") }

// idHeaders are where parties tell their own id of a request, the more telling first.
var idHeaders = []string{"X-Github-Request-Id", "X-Vercel-Id", "X-Amzn-Requestid", "Cf-Ray", "X-Request-Id", "Request-Id"}

const (
	maxID = 96 // bytes; Vercel's have some 60
	// echo is how many bytes in a row of a request make an id one that gives back what it was sent.
	echo = 8
)

// requestID answers the other side's id of a request, "" where it gives none that can be shown: it may hold nothing but what ids are
// made of, and nothing of the request.
func requestID(header http.Header, sent Request) string {
	for _, name := range idHeaders {
		id := header.Get(name)
		if id == "" {
			continue
		}
		if len(id) > maxID || !isID(id) || redact(id) != id || gaveBack(id, sent) {
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

// gaveBack reports whether a part of the request stands in an id.
func gaveBack(id string, sent Request) bool {
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
