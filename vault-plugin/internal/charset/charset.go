// Package charset owns the rules for text: which characters a text may contain, how bytes that are
// not UTF-8 are recognised after a client has replaced them, and what may surround machine-made
// text. It knows nothing of what a text is for.
package charset

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// replacement is U+FFFD. Vault's CLI, like every encoder of JSON in Go, puts it in place of bytes
// that are not UTF-8. A text that contains it has most likely lost these bytes.
const replacement = "\ufffd"

// The texts of errors, without a field.
const (
	NotUTF8 = "contains bytes that are not UTF-8, or U+FFFD, which Vault's CLI puts in their place; write such bytes in base64, with encoding=base64"
	UTF16   = "is UTF-16; convert it to UTF-8, for example with: iconv -f UTF-16 -t UTF-8"
)

// CheckValue rejects a value that is not UTF-8, that has lost bytes on its way, or that is UTF-16.
// field is the field that the value was given in.
func CheckValue(field string, value []byte) error {
	if utf8.Valid(value) && !bytes.Contains(value, []byte(replacement)) && bytes.IndexByte(value, 0) < 0 {
		return nil // almost every value, without a copy of it
	}
	if _, what := Undecodable(string(value)); what != "" {
		return fault.New(fault.Invalid, "%s: %s", field, what)
	}
	return nil
}

// Undecodable returns the offset of the first character that is not UTF-8 or is U+FFFD, and the
// text of an error. If the text has no such character and is not UTF-16, what is empty.
func Undecodable(text string) (offset int, what string) {
	if isUTF16(text) {
		return 0, UTF16
	}
	if i := strings.Index(text, replacement); i >= 0 && utf8.ValidString(text[:i]) {
		return i, NotUTF8
	}
	if utf8.ValidString(text) {
		return 0, ""
	}
	for i, r := range text {
		if r == utf8.RuneError {
			return i, NotUTF8
		}
	}
	return 0, NotUTF8 // not reached: a text that is not valid has such a character
}

// sample is the number of bytes by which isUTF16 decides.
const sample = 4096

// isUTF16 reports whether a text is UTF-16. In text with mostly ASCII characters, every second byte
// is then zero. The byte order mark is not UTF-8, so the CLI has replaced it.
func isUTF16(text string) bool {
	for _, mark := range []string{"\xff\xfe", "\xfe\xff", replacement + replacement, "\ufeff"} {
		text = strings.TrimPrefix(text, mark)
	}
	text = text[:min(len(text), sample)]
	var zeros, pairs [2]int
	for i := range len(text) {
		pairs[i%2]++
		if text[i] == 0 {
			zeros[i%2]++
		}
	}
	mostly := func(n, of int) bool { return n*10 >= of*9 }
	rarely := func(n, of int) bool { return n*10 <= of }
	return len(text) >= 4 &&
		(mostly(zeros[0], pairs[0]) && rarely(zeros[1], pairs[1]) || mostly(zeros[1], pairs[1]) && rarely(zeros[0], pairs[0]))
}

// CheckPrintable rejects a text with characters that do not print: control characters, line ends,
// and characters that change the direction of what follows. A terminal would obey them. KV version
// 2 has the same rule for custom metadata. field is the field that the text was given in.
func CheckPrintable(field, text string) error {
	if !utf8.ValidString(text) || strings.Contains(text, replacement) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fault.New(fault.Invalid, "%s: must consist of printable characters on one line; remove control characters, line ends and invisible characters", field)
	}
	return nil
}

// Trim removes the white space around machine-made text: base64, ciphertexts, digests and ids. Such
// text contains none itself, and `echo` and files add a line end.
func Trim(text string) string { return strings.Trim(text, " \t\r\n") }

// noBreak lists spaces that look like a space or like nothing. They come from web pages and word
// processors: U+00A0, U+2007, U+202F, U+2060 and U+FEFF.
const noBreak = "\u00a0\u2007\u202f\u2060\ufeff"

// Remark returns what is unusual about the ends of a value: a line end, or a no-break space. Both
// are part of the value, and often nobody meant them. Without such an end, it returns "".
func Remark(value []byte) string {
	switch {
	case bytes.HasSuffix(value, []byte("\n")), bytes.HasSuffix(value, []byte("\r")):
		return "ends in a line end, which is part of the value; to store it without, write it with printf or echo -n"
	case len(bytes.Trim(value, noBreak)) < len(value):
		return "begins or ends with a no-break space, which is part of the value"
	default:
		return ""
	}
}
