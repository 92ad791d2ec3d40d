package charset_test

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/charset"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

func encoded(text string, order binary.AppendByteOrder, mark bool) string {
	var out []byte
	if mark {
		out = order.AppendUint16(out, 0xfeff)
	}
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

// asJSON returns the text that arrives when Vault's CLI sends bytes as a JSON string.
func asJSON(t *testing.T, text string) string {
	t.Helper()
	encoded, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	var arrived string
	if err := json.Unmarshal(encoded, &arrived); err != nil {
		t.Fatal(err)
	}
	return arrived
}

func TestBytesThatAreNotUTF8AreRecognised(t *testing.T) {
	for name, tc := range map[string]struct {
		text   string
		offset int
		what   string
	}{
		"nothing":                      {"", 0, ""},
		"letters of the world":         {"Grüße, 日本, \U0001F511", 0, ""},
		"a NUL":                        {"a\x00b", 0, ""},
		"many NULs":                    {"\x00\x00\x00\x00\x00\x00", 0, ""},
		"a raw byte":                   {"ab\xffc", 2, charset.NotUTF8},
		"a replaced byte":              {"ü\ufffd", 2, charset.NotUTF8},
		"a replaced byte before a raw": {"a\ufffd\xff", 1, charset.NotUTF8},
		"a raw byte before a replaced": {"a\xff\ufffd", 1, charset.NotUTF8},
		"UTF-16, little-endian":        {encoded("A=1\nB=2\n", binary.LittleEndian, true), 0, charset.UTF16},
		"UTF-16, big-endian":           {encoded("A=1\nB=2\n", binary.BigEndian, true), 0, charset.UTF16},
		"UTF-16 without its mark":      {encoded("A=1\nB=2\n", binary.LittleEndian, false), 0, charset.UTF16},
		"UTF-16 with a few umlauts":    {encoded("A=a long value with Umlaut ü, and more text\n", binary.BigEndian, true), 0, charset.UTF16},
	} {
		t.Run(name, func(t *testing.T) {
			for _, text := range []string{tc.text, asJSON(t, tc.text)} {
				offset, what := charset.Undecodable(text)
				if offset != tc.offset || what != tc.what {
					t.Errorf("%q: got %d, %q, want %d, %q", text, offset, what, tc.offset, tc.what)
				}
				err := charset.CheckValue("value", []byte(text))
				if (err != nil) != (tc.what != "") || err != nil && err.Error() != "invalid: value: "+tc.what {
					t.Errorf("%q: got %v", text, err)
				}
			}
		})
	}
	if !strings.Contains(charset.NotUTF8, "encoding=base64") {
		t.Error("the error does not name encoding=base64")
	}
}

func TestCharactersThatDoNotPrintAreRefused(t *testing.T) {
	for _, text := range []string{"", "for payments", "Grüße (日本) \U0001F511"} {
		if err := charset.CheckPrintable("comment", text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, odd := range []string{"\n", "\r", "\t", "\x00", "\x07", "\x1b[2J", "\x7f", "\u0085", "\u009b", "\u00a0", "\u200b", "\u202e", "\u2028", "\ufeff", "\ufffd", "\xff"} {
		err := charset.CheckPrintable("comment", "zQ7x"+odd+"K9wJ")
		if !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), "invalid: comment: ") || strings.Contains(err.Error(), "zQ7x") {
			t.Errorf("%q: got %v", odd, err)
		}
	}
}

func TestWhiteSpaceAroundMachineMadeTextIsTrimmed(t *testing.T) {
	for in, want := range map[string]string{" \tstash:v1:x\r\n\n": "stash:v1:x", "a b": "a b", "\u00a0a": "\u00a0a", "\n": ""} {
		if got := charset.Trim(in); got != want {
			t.Errorf("%q: got %q", in, got)
		}
	}
}

func TestUnusualEndsOfValuesAreRemarked(t *testing.T) {
	for value, want := range map[string]string{
		"": "", "a": "", " a ": "", "a\nb": "", "a\u00a0b": "", "\na": "",
		"a\n": "line end", "a\r": "line end", "\n": "line end",
		"a\u00a0": "no-break", "\u00a0a": "no-break", "\ufeffa": "no-break", "a\u202f": "no-break", "a\u2060": "no-break", "\u2007a": "no-break",
	} {
		if got := charset.Remark([]byte(value)); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
}
