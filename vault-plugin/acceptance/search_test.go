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

// search looks for parts of planted texts: a window slides over each, so that a piece of one is found as well as the whole.
type search struct {
	size    int          // of the window
	sizes   map[int]bool // of all windows
	planted map[string]string
}

// Sizes of windows. A window of text holds 50 random bits, one of digits 40: none is found by chance in a log of megabytes. Text in hex
// needs twice the window of text: a log is full of digests in hex.
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

// value mints a text and plants it, also in the encodings it might hide in.
func (s *search) value(label string) string {
	text := value()
	s.plant(label, text)
	s.slide(label+" in hex", hex.EncodeToString([]byte(text)), 2*s.size)
	for offset := range 3 { // base64 looks otherwise from each of three places in a text
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", offset) + text))
		s.plant(label+" in base64", encoded[4:len(encoded)-4])
	}
	return text
}

// number mints 15 digits, which a float64 holds exactly, and plants them.
func (s *search) number(label string) json.Number {
	low := big.NewInt(1e14)
	n, _ := rand.Int(rand.Reader, big.NewInt(8e14)) // never fails
	digits := n.Add(n, low).String()
	s.plant(label, digits)
	s.plant(label+" as a float", digits[1:])
	return json.Number(digits)
}

// in lists the labels of what a text holds a part of.
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

// absent fails the test for everything planted of which a text holds a part.
func (s *search) absent(t testing.TB, where, text string) {
	t.Helper()
	if len(s.planted) == 0 {
		t.Fatal("nothing was planted: the search shows nothing")
	}
	if found := s.in(text); len(found) > 0 {
		t.Errorf("%s holds parts of %d planted texts: %q", where, len(found), found[:min(10, len(found))])
	}
}

// present fails the test when the search does not find what is known to be there.
func (s *search) present(t testing.TB, where, text string) {
	t.Helper()
	if len(s.in(text)) == 0 {
		t.Errorf("%s lacks the control (%d bytes searched): the search shows nothing", where, len(text))
	}
}

// withoutRequests is an audit log without what Vault has noted of the requests' data and URLs. It hashes the strings in the data,
// but shows numbers, the names of fields and a URL's parameters as they came, which no plugin can help.
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
