package acceptance_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// search finds parts of planted texts. A window slides over each text, so a part is found as well
// as the whole.
type search struct {
	size    int               // size of the window for texts
	sizes   map[int]bool      // sizes of all windows
	planted map[string]string // label by window
}

// Sizes of windows, in characters. A window of text contains 50 random bits, and one of digits 40.
// A log of megabytes contains neither by chance. Text in hex needs a window of twice the size,
// because a log is full of digests in hex.
const (
	textWindow  = 10
	digitWindow = 12
	keyWindow   = 16
)

func newSearch(size int) *search { return &search{size, map[int]bool{}, map[string]string{}} }

// plant adds a text under a label.
func (s *search) plant(label, text string) { s.slide(label, text, s.size) }

func (s *search) slide(label, text string, size int) {
	s.sizes[size] = true
	for i := 0; i+size <= len(text); i++ {
		s.planted[text[i:i+size]] = label
	}
}

// value returns a new text and plants it, also in hex and base64.
func (s *search) value(label string) string {
	text := value()
	s.plant(label, text)
	s.slide(label+" in hex", hex.EncodeToString([]byte(text)), 2*s.size)
	for offset := range 3 { // the base64 form depends on the offset modulo 3
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", offset) + text))
		s.plant(label+" in base64", encoded[4:len(encoded)-4])
	}
	return text
}

// number returns a new number of 15 digits, which a float64 represents exactly, and plants it.
func (s *search) number(label string) json.Number {
	low := big.NewInt(1e14)
	n, _ := rand.Int(rand.Reader, big.NewInt(8e14)) // crypto/rand never returns an error
	digits := n.Add(n, low).String()
	s.plant(label, digits)
	s.plant(label+" as a float", digits[1:])
	return json.Number(digits)
}

// in returns the labels of the planted texts that have a part in the given text.
func (s *search) in(text string) []string {
	found := map[string]bool{}
	for size := range s.sizes {
		for i := 0; i+size <= len(text); i++ {
			if label, ok := s.planted[text[i:i+size]]; ok {
				found[label] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// absent fails the test for each planted text that has a part in the given text.
func (s *search) absent(t testing.TB, where, text string) {
	t.Helper()
	if len(s.planted) == 0 {
		t.Fatal("nothing was planted, so the search shows nothing")
	}
	if found := s.in(text); len(found) > 0 {
		t.Errorf("%s contains parts of %d planted texts: %q", where, len(found), found[:min(10, len(found))])
	}
}

// present fails the test if the search does not find a text that is known to be there.
func (s *search) present(t testing.TB, where, text string) {
	t.Helper()
	if len(s.in(text)) == 0 {
		t.Errorf("%s lacks the control (%d bytes searched), so the search shows nothing", where, len(text))
	}
}

// withoutRequests returns an audit log without the data and URLs of requests. Vault hashes strings
// in the data. It logs numbers, names of fields and URL parameters unchanged, which no plugin can
// prevent.
func withoutRequests(t testing.TB, audit string) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(audit) {
		var entry data
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("a line of the audit log: %v", err)
		}
		if request, ok := entry["request"].(data); ok {
			delete(request, "data")
			delete(request, "request_uri")
		}
		text, err := json.Marshal(entry)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s\n", text)
	}
	return out.String()
}
