package provider_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

const pemText = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"

func TestSecretFieldsRejectEdgesAndControlCharacters(t *testing.T) {
	one, several := provider.Field{Name: "token", Secret: true}, provider.Field{Name: "key", Secret: true, Multiline: true}
	for _, c := range []struct {
		name, value           string
		inOneLine, inMultiple bool
	}{
		{"a token", "hvs.CAESIJ-_", true, true},
		{"a space inside", "correct horse battery", true, true},
		{"letters of other scripts", "пароль-密码", true, true},
		{"a line break at the end", planted + "\n", false, true},
		{"a line break of Windows at the end", planted + "\r\n", false, true},
		{"a space before it", " " + planted, false, true},
		{"a no-break space behind it", planted + "\u00a0", false, true},
		{"a byte order mark before it", "\ufeff" + planted, false, true},
		{"a zero-width space behind it", planted + "\u200b", false, true},
		{"nothing but a space", " ", false, true},
		{"a line break inside", "planted\n-credential-value", false, true},
		{"a tab inside", "planted\t-credential-value", false, true},
		{"a NUL inside", "planted\x00-credential-value", false, false},
		{"an escape sequence inside", "planted\x1b[2J-credential-value", false, false},
		{"a control character of C1", "planted\u0085-credential-value", false, false},
		{"DEL at the end", planted + "\x7f", false, false},
		{"bytes that are not text", planted + "\xff", false, false},
		{"what the CLI sends for them", planted + "\ufffd", false, false},
		{"PEM", pemText, false, true},
	} {
		for field, want := range map[*provider.Field]bool{&one: c.inOneLine, &several: c.inMultiple} {
			err := field.CheckSecret(c.value)
			if (err == nil) != want {
				t.Errorf("%s, multiline %t: %v", c.name, field.Multiline, err)
			}
			if err != nil && strings.Contains(err.Error(), "planted") {
				t.Errorf("%s: the error contains the value: %v", c.name, err)
			}
		}
	}
	one.Check = func(any) error { return errors.New("must be another one") }
	if err := one.CheckSecret("hvs.CAESIJ-_"); err == nil || err.Error() != "must be another one" {
		t.Errorf("the field's own rule: %v", err)
	}
}

// A terminal shows settings, so they have no control characters. A form that only looks like
// another value is rejected too.
func TestSettingsRejectEdgesAndControlCharacters(t *testing.T) {
	fields := declaration().SettingsOf("token")
	for name, values := range map[string]provider.Values{
		"a line break at the end":   {"tls_server_name": "vault.internal\n"},
		"a space before it":         {"namespace": " admin"},
		"an escape sequence":        {"namespace": "a\x1b[2Jb"},
		"a direction of the text":   {"namespace": "admin\u202e"},
		"bytes that are not text":   {"namespace": "a\xffb"},
		"a word with a line break":  {"labels": []string{"fine", "not\nfine"}},
		"a word with a space at it": {"labels": []string{"not "}},
	} {
		values["address"] = "https://box.example.com"
		var refused *provider.FieldError
		if _, err := provider.Complete(fields, values); !errors.As(err, &refused) || values[refused.Field] == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNormalFormsAreStored(t *testing.T) {
	trim := func(text string) string { return strings.Trim(text, "/") }
	fields := []provider.Field{{Name: "mount", Help: "A.", Normal: trim}, {Name: "namespace", Help: "B.", Endpoint: provider.EndpointText, Normal: trim}, {Name: "words", Type: provider.Words, Help: "C."}}
	words := []string{"a/", "b"}
	values, err := provider.Complete(fields, provider.Values{"mount": "/team/", "namespace": "admin/", "words": words})
	if err != nil || values.Text("mount") != "team" || values.Text("namespace") != "admin" || values.Words("words")[0] != "a/" {
		t.Errorf("%v, %v", values, err)
	}
	if words[0] = "changed"; values.Words("words")[0] == "changed" {
		t.Error("the result shares memory with the given words")
	}
	// The receiver is the same, so the credential stays readable.
	d := declaration()
	d.Fields[1].Normal = trim
	one, err := provider.EndpointDigest(d, "token", provider.Values{"namespace": "admin"})
	other, otherErr := provider.EndpointDigest(d, "token", provider.Values{"namespace": "admin/"})
	if one != other || err != nil || otherErr != nil {
		t.Errorf("two forms of one endpoint have two digests: %v, %v", err, otherErr)
	}
}

func TestObjects(t *testing.T) {
	if got := (provider.ServiceObject{Path: "apps/api"}).Of("NAME"); got != "apps/api" {
		t.Errorf("the object of all entries is %q", got)
	}
	if got := (provider.ServiceObject{Path: "apps/api", PerEntry: true}).Of("NAME"); got != "apps/api/NAME" {
		t.Errorf("the object of an entry is %q", got)
	}
}
