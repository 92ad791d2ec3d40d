package provider

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CheckSecret returns an error if value is not valid for a secret field. A credential that was read
// from a file often ends with a line break, and the service rejects it later without saying why.
// CheckSecret therefore rejects white space at an edge and control characters for every provider,
// unless the field is Multiline. The error contains no part of value.
func (f Field) CheckSecret(value string) error {
	if err := plain(value, f.Multiline); err != nil {
		return err
	}
	if f.Check == nil {
		return nil
	}
	return f.Check(value)
}

// checkPlain rejects a setting that a terminal could not show as it is. Certificates consist of
// several lines.
func (f Field) checkPlain(value any) error {
	switch v := value.(type) {
	case string:
		return plain(v, f.Endpoint == EndpointPEM)
	case []string:
		for _, word := range v {
			if err := plain(word, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// plain returns an error for a text that is not UTF-8, has control characters, or has white space
// at an edge. With multiline, line breaks, tabs and white space at the edges are allowed.
func plain(text string, multiline bool) error {
	isControl := func(r rune) bool { return unicode.IsControl(r) && (!multiline || !strings.ContainsRune("\r\n\t", r)) }
	switch {
	case !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError):
		// Vault's CLI sends U+FFFD in place of bytes that are not UTF-8.
		return errors.New("must be text in UTF-8: it has bytes that are not")
	case !multiline && strings.TrimFunc(text, isBlank) != text:
		return errors.New("must not begin or end with white space: a text that was read from a file often ends with a line break")
	case strings.ContainsFunc(text, isControl):
		return errors.New("must not have control characters, such as line breaks")
	}
	return nil
}

// isBlank reports whether a character is white space, or is invisible as white space is: a byte
// order mark, or a zero-width space.
func isBlank(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }
