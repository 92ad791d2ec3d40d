package provider_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

// A service that is not honest, or that was broken into, decides what it reports.
func TestShownIdentityIsFitToBeShown(t *testing.T) {
	expires := time.Date(2027, 1, 31, 9, 0, 0, 0, time.UTC)
	usual := provider.Identity{Account: "token-nightly", Scopes: []string{"default", "read:org"}, Expires: expires, Detail: map[string]string{"token_type": "service"}}
	token := provider.NewCredential(map[string][]byte{"token": []byte(planted), "short": []byte("root")})
	if got := usual.Shown(token); !reflect.DeepEqual(got, usual) {
		t.Errorf("a usual identity is shown as %+v", got)
	}
	for _, none := range []provider.Identity{{}, {Account: "root", Scopes: []string{}, Detail: map[string]string{}}} {
		if got := none.Shown(token); !reflect.DeepEqual(got, none) {
			t.Errorf("%+v is shown as %+v", none, got)
		}
	}
	bad := "\x1b[2J\r\nowned \u202e \u2028 \x00 \xff" + strings.Repeat("long ", 1<<16)
	many := provider.Identity{Account: bad, Detail: map[string]string{"an invalid name\n": "x", strings.Repeat("n", 1000): "x"}}
	for i := range 10_000 {
		many.Scopes = append(many.Scopes, bad)
		many.Detail[fmt.Sprintf("detail_%d", i)] = bad
	}
	got := many.Shown(token)
	if len(got.Scopes) > 200 || len(got.Detail) > 20 || len(got.Scopes) == 0 || len(got.Detail) == 0 {
		t.Errorf("%d scopes, %d details", len(got.Scopes), len(got.Detail))
	}
	texts := append([]string{got.Account}, got.Scopes...)
	for name, text := range got.Detail {
		texts = append(texts, name, text)
	}
	for _, text := range texts {
		if len(text) > 256 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("%d bytes: %q", len(text), text)
		}
	}
	if !strings.Contains(got.Account, "owned") {
		t.Errorf("nothing is left of the account: %q", got.Account)
	}
}

// The credential is write-only. A service that repeats it must not make it readable.
func TestShownIdentityDoesNotRepeatTheCredential(t *testing.T) {
	token := provider.NewCredential(map[string][]byte{"token": []byte(planted)})
	jwt := "eyJ" + strings.Repeat("aB3", 14) // of somebody else
	for _, text := range []string{planted, "token-" + planted, planted[3:14], planted[:8], "Bearer " + planted, jwt} {
		identity := provider.Identity{Account: text, Scopes: []string{"default", text}, Detail: map[string]string{"path": text}}
		printed := fmt.Sprintf("%+v", identity.Shown(token))
		if strings.Contains(printed, text) || strings.Contains(printed, planted[4:12]) || !strings.Contains(printed, "default") {
			t.Errorf("%q is shown as %s", text, printed)
		}
	}
}

// A time that cannot be stored would keep the engine from storing anything about the integration.
func TestShownExpiryCanBeStored(t *testing.T) {
	for _, expires := range []time.Time{
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -12*60*60)), time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		got := provider.Identity{Expires: expires}.Shown(provider.Credential{})
		if _, err := json.Marshal(got.Expires.UTC()); err != nil || !got.Expires.IsZero() {
			t.Errorf("%v is shown as %v: %v", expires, got.Expires, err)
		}
	}
}
