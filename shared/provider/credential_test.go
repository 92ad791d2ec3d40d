package provider_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

// planted is part of every value that must not be printed.
const planted = "planted-credential-value"

func TestNothingSecretIsPrinted(t *testing.T) {
	c := provider.NewCredential(map[string][]byte{"token": []byte(planted)})
	type inside struct{ c provider.Credential }
	value, change := provider.Value{Name: "A", Bytes: []byte(planted)}, provider.Change{Name: "A", Value: []byte(planted)}
	// The value as text, in hexadecimal, and as fmt prints bytes.
	forms := []string{planted, fmt.Sprintf("%x", planted), fmt.Sprintf("%X", planted), "112 108 97 110", "0x70, 0x6c, 0x61, 0x6e"}
	for name, v := range map[string]any{
		"credential": c, "pointer": &c, "in a session": provider.Session{Credential: c}, "pointer to a session": &provider.Session{Credential: c},
		"in a map": map[string]any{"c": c}, "in a slice": []provider.Credential{c}, "value": value, "values": []provider.Value{value},
		"change": change, "changes": []*provider.Change{&change}, "not exported": inside{c: c},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
			printed := fmt.Sprintf(verb, v)
			for _, form := range forms {
				if strings.Contains(printed, form) {
					t.Errorf("%s with %s prints the value: %s", name, verb, printed)
				}
			}
		}
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "c", c, "s", provider.Session{Credential: c})
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "c", c, "v", value, "w", change)
	if strings.Contains(log.String(), planted) {
		t.Errorf("a log contains the value: %s", log.String())
	}
}

func TestMarshallingACredentialFails(t *testing.T) {
	c := provider.NewCredential(map[string][]byte{"token": []byte(planted)})
	for name, v := range map[string]any{"value": c, "pointer": &c, "in a session": provider.Session{Credential: c}} {
		if _, err := json.Marshal(v); err == nil || strings.Contains(err.Error(), planted) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWipeRemovesAllFields(t *testing.T) {
	token := []byte(planted)
	c := provider.NewCredential(map[string][]byte{"token": token})
	if c.Text("token") != planted || string(c.Bytes("token")) != planted || c.Text("other") != "" {
		t.Error("the fields are not as they were given")
	}
	same := c
	c.Wipe()
	c.Wipe()
	if strings.Trim(string(token), "\x00") != "" || c.Text("token") != "" || same.Bytes("token") != nil {
		t.Error("a field is left after Wipe")
	}
	var none provider.Credential
	none.Wipe()
	if none.Text("token") != "" {
		t.Error("an empty credential has a field")
	}
}

func TestIsToken(t *testing.T) {
	for text, want := range map[string]bool{
		"ghp_0123456789": true, "hvs.CAESIJ-_": true, "~": true,
		"": false, " ": false, "token ": false, "token\n": false, "to ken": false, "tok\x7fen": false, "tökén": false, "\xff": false,
	} {
		if got := provider.IsToken(text); got != want {
			t.Errorf("%q: got %t, want %t", text, got, want)
		}
	}
}
