package backend_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// billing is the context that most tests of application encryption use.
const billing = "/acme/billing"

// serving returns a mount with two workspaces for application encryption.
func serving(t testing.TB) *enginetest.Mount {
	t.Helper()
	m := enginetest.New(t)
	m.Write("workspaces/acme", nil)
	m.Write("workspaces/other", nil)
	return m
}

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func textOf(t testing.TB, resp data, field string) string {
	t.Helper()
	text, ok := resp[field].(string)
	if !ok {
		t.Fatalf("the response has no %s: %v", field, resp)
	}
	return text
}

// sealed encrypts new data under a context and returns the data and the ciphertext as text.
func sealed(t testing.TB, m *enginetest.Mount, in string, associated ...string) (plaintext, ciphertext string) {
	t.Helper()
	plaintext = b64(planted())
	ask := data{"plaintext": plaintext}
	for _, about := range associated {
		ask["associated_data"] = b64(about)
	}
	return plaintext, textOf(t, m.Write("encrypt"+in, ask), "ciphertext")
}

// cannotOpen is the error for every ciphertext that cannot be decrypted.
const cannotOpen = "invalid: ciphertext: cannot be opened here"

// closed checks that decrypt and rewrap both fail, with an error that gives no reason.
func closed(t *testing.T, m *enginetest.Mount, in, ciphertext string, more data) {
	t.Helper()
	for _, op := range []string{"decrypt", "rewrap"} {
		ask := data{"ciphertext": ciphertext}
		for field, value := range more {
			ask[field] = value
		}
		got := m.Refuse(logical.UpdateOperation, op+in, ask)
		if got.Status != http.StatusBadRequest || got.Text != cannotOpen {
			t.Errorf("%s is refused with %v", op, got)
		}
	}
}

func TestWhatAServiceEncryptsItDecrypts(t *testing.T) {
	m := serving(t)
	for name, plain := range map[string]string{
		"nothing": "", "a byte": "\x00", "text": planted(), "no text": "\xff\xfe\x00", "much": strings.Repeat("x", 700_000),
	} {
		t.Run(name, func(t *testing.T) {
			out := m.Write("encrypt"+billing, data{"plaintext": b64(plain)})
			ciphertext := textOf(t, out, "ciphertext")
			if out["key_version"] != 1.0 || !strings.HasPrefix(ciphertext, "stash:v1:") || len(out) != 2 {
				t.Errorf("encrypt returned %.200v", out)
			}
			if got := m.Write("decrypt"+billing, data{"ciphertext": ciphertext}); got["plaintext"] != b64(plain) || len(got) != 1 {
				t.Errorf("decrypt returned %.200v", got)
			}
		})
	}
	plain, one := sealed(t, m, billing)
	if again := textOf(t, m.Write("encrypt"+billing, data{"plaintext": plain}), "ciphertext"); again == one {
		t.Error("equal plaintexts have equal ciphertexts")
	}
	m = m.Restart()
	if got := m.Write("decrypt"+billing, data{"ciphertext": one}); got["plaintext"] != plain {
		t.Errorf("after a restart, decrypt returned %v", got)
	}
}

func TestACiphertextOpensOnlyWithItsAssociatedData(t *testing.T) {
	m := serving(t)
	most := strings.Repeat("a", 32<<10)
	for _, about := range []string{"row 7", "\x00", most} {
		plain, ciphertext := sealed(t, m, billing, about)
		ask := data{"ciphertext": ciphertext, "associated_data": b64(about)}
		if got := m.Write("decrypt"+billing, ask); got["plaintext"] != plain {
			t.Errorf("decrypt returned %v", got)
		}
		ask["ciphertext"] = textOf(t, m.Write("rewrap"+billing, ask), "ciphertext")
		if got := m.Write("decrypt"+billing, ask); got["plaintext"] != plain {
			t.Errorf("decrypt of a rewrapped ciphertext returned %v", got)
		}
		closed(t, m, billing, ciphertext, nil)
		closed(t, m, billing, ciphertext, data{"associated_data": b64(about[1:] + "x")})
	}
	plain, ciphertext := sealed(t, m, billing)
	closed(t, m, billing, ciphertext, data{"associated_data": b64("row 7")})
	if got := m.Write("decrypt"+billing, data{"ciphertext": ciphertext, "associated_data": ""}); got["plaintext"] != plain {
		t.Errorf("absent and empty associated data differ: %v", got)
	}
	for _, op := range []string{"encrypt", "decrypt", "rewrap", "datakey"} {
		ask := data{"associated_data": b64(most + "a"), "plaintext": plain, "ciphertext": ciphertext, "type": "wrapped"}
		for _, field := range map[string][]string{
			"encrypt": {"ciphertext", "type"}, "decrypt": {"plaintext", "type"}, "rewrap": {"plaintext", "type"}, "datakey": {"plaintext", "ciphertext"},
		}[op] {
			delete(ask, field)
		}
		got := m.Refuse(logical.UpdateOperation, op+billing, ask)
		if got.Status != http.StatusBadRequest || got.Text != "limit: associated_data: has 32769 bytes; the limit is 32768" {
			t.Errorf("%s is refused with %v", op, got)
		}
	}
}

func TestContextsAndWorkspacesAreSeparate(t *testing.T) {
	m := serving(t)
	m.Populate("third", "billing", "development")
	_, ciphertext := sealed(t, m, billing)
	_, changed := sealed(t, m, billing)
	input := b64(planted())
	digest := textOf(t, m.Write("hmac"+billing, data{"input": input}), "hmac")
	for _, elsewhere := range []string{"/acme/ledger", "/acme/billing2", "/acme/bil-ling", "/other/billing", "/third/billing"} {
		closed(t, m, elsewhere, ciphertext, nil)
		if got := m.Write("verify"+elsewhere, data{"input": input, "hmac": digest}); got["valid"] != false {
			t.Errorf("a digest is valid in %s", elsewhere)
		}
		if other := m.Write("hmac"+elsewhere, data{"input": input})["hmac"]; other == digest {
			t.Errorf("equal data have equal digests in %s", elsewhere)
		}
	}
	const at = 40 // within the salt
	for name, text := range map[string]string{
		"nothing": "", "no ciphertext": "stash", "of Transit": "vault:v1:" + b64(planted()), "cut short": changed[:len(changed)-4],
		"of another version": strings.Replace(changed, ":v1:", ":v2:", 1), "padded": changed + "==", "a digest": digest,
		"changed": changed[:at] + map[bool]string{true: "B", false: "A"}[changed[at] == 'A'] + changed[at+1:],
	} {
		t.Run(name, func(t *testing.T) { closed(t, m, billing, text, nil) })
	}

	m.Write("workspaces/acme", data{"deletion_allowed": true})
	m.Delete("workspaces/acme", data{"confirm": "acme"})
	if got := m.Refuse(logical.UpdateOperation, "decrypt"+billing, data{"ciphertext": ciphertext}); got.Word() != "not_found" || got.Status != http.StatusBadRequest {
		t.Errorf("in a shredded workspace: %v", got)
	}
	m.Write("workspaces/acme", nil)
	closed(t, m, billing, ciphertext, nil)
}

func TestOldCiphertextsCanBeDecryptedAndRewrappedAfterARotation(t *testing.T) {
	m := serving(t)
	plain, old := sealed(t, m, billing, "row 7")
	input := b64(planted())
	digest := textOf(t, m.Write("hmac"+billing, data{"input": input}), "hmac")
	m.Write("keys/acme/rotate", nil)
	m.Settle()

	about := data{"ciphertext": old, "associated_data": b64("row 7")}
	if got := m.Write("decrypt"+billing, about); got["plaintext"] != plain {
		t.Errorf("decrypt of the old ciphertext returned %v", got)
	}
	moved := m.Write("rewrap"+billing, about)
	if moved["key_version"] != 2.0 || !strings.HasPrefix(textOf(t, moved, "ciphertext"), "stash:v2:") || len(moved) != 2 {
		t.Errorf("rewrap returned %v", moved)
	}
	about["ciphertext"] = moved["ciphertext"]
	if got := m.Write("decrypt"+billing, about); got["plaintext"] != plain {
		t.Errorf("decrypt of the rewrapped ciphertext returned %v", got)
	}
	if out := m.Write("encrypt"+billing, data{"plaintext": plain}); out["key_version"] != 2.0 {
		t.Errorf("encrypt returned %v", out)
	}
	now := textOf(t, m.Write("hmac"+billing, data{"input": input}), "hmac")
	if !strings.HasPrefix(now, "stash-mac:v2:") || !strings.HasPrefix(digest, "stash-mac:v1:") {
		t.Errorf("digests %s and %s", digest, now)
	}
	for _, d := range []string{digest, now} {
		if got := m.Write("verify"+billing, data{"input": input, "hmac": d}); got["valid"] != true {
			t.Errorf("%s is not valid", d)
		}
	}
	unknown := strings.Replace(now, ":v2:", ":v3:", 1)
	if got := m.Write("verify"+billing, data{"input": input, "hmac": unknown}); got["valid"] != false {
		t.Error("a digest of a missing key version is valid")
	}
}

func TestADigestIsOfItsInput(t *testing.T) {
	m := serving(t)
	for _, input := range []string{"", planted()} {
		out := m.Write("hmac"+billing, data{"input": b64(input)})
		digest := textOf(t, out, "hmac")
		if again := m.Write("hmac"+billing, data{"input": b64(input)})["hmac"]; again != digest || len(out) != 1 {
			t.Errorf("hmac returned %v, then %v", out, again)
		}
		for other, valid := range map[string]bool{input: true, input + "x": false, "x" + input: false} {
			if got := m.Write("verify"+billing, data{"input": b64(other), "hmac": digest}); got["valid"] != valid || len(got) != 1 {
				t.Errorf("verify returned %v, want %t", got, valid)
			}
		}
	}
}

func TestOnlyTypePlaintextReturnsTheDataKey(t *testing.T) {
	m := serving(t)
	seen := map[string]bool{}
	for _, associated := range []data{{}, {"associated_data": b64("file 1")}} {
		for _, as := range []string{"plaintext", "wrapped"} {
			ask := data{"type": as}
			for field, value := range associated {
				ask[field] = value
			}
			out := m.Write("datakey"+billing, ask)
			_, shown := out["plaintext"]
			if shown != (as == "plaintext") || out["key_version"] != 1.0 {
				t.Errorf("type=%s returned %d fields; contains the plaintext: %t", as, len(out), shown)
			}
			open := data{"ciphertext": out["ciphertext"]}
			for field, value := range associated {
				open[field] = value
			}
			key := textOf(t, m.Write("decrypt"+billing, open), "plaintext")
			if shown && out["plaintext"] != key {
				t.Error("the returned key differs from the encrypted key")
			}
			raw, err := base64.StdEncoding.DecodeString(key)
			if err != nil || len(raw) != 32 || seen[key] {
				t.Errorf("a key of %d bytes, seen before: %t", len(raw), seen[key])
			}
			seen[key] = true
			if len(associated) > 0 {
				closed(t, m, billing, textOf(t, out, "ciphertext"), nil)
			}
		}
	}
}

func TestEncryptionWithCachedKeysCallsNoStorage(t *testing.T) {
	m := serving(t)
	_, ciphertext := sealed(t, m, billing)
	digest := textOf(t, m.Write("hmac"+billing, data{"input": ""}), "hmac")
	m = m.Restart()
	m.Settle()
	m.Storage.Reset()
	m.Write("decrypt"+billing, data{"ciphertext": ciphertext})
	if got := m.Storage.Counts(); got != (enginetest.Counts{Gets: 1}) {
		t.Errorf("the first request makes the calls %+v", got)
	}
	m.Storage.FailFrom(1, false)
	ciphertexts := make([]data, 100)
	for i := range ciphertexts {
		ciphertexts[i] = data{"ciphertext": ciphertext}
	}
	m.Write("encrypt/acme/never-used-before", data{"plaintext": ""})
	m.Write("decrypt"+billing, data{"ciphertext": ciphertext})
	m.Write("decrypt"+billing, data{"batch_input": ciphertexts})
	m.Write("rewrap"+billing, data{"ciphertext": ciphertext})
	m.Write("hmac"+billing, data{"input": ""})
	m.Write("verify"+billing, data{"input": "", "hmac": digest})
	m.Write("datakey"+billing, data{"type": "wrapped"})
	closed(t, m, billing, "x", nil)
	if calls := m.Storage.Calls(); calls != 0 {
		t.Errorf("%d calls", calls)
	}
}

// A batch completes even if its keyring is wiped meanwhile. Here, requests in another workspace
// evict the keyring all the time.
func TestConcurrentBatchesWithACacheOfOneKeyring(t *testing.T) {
	m := serving(t)
	m.Write("config", data{"keyring_cache_size": 1})
	items := make([]data, 200)
	for i := range items {
		items[i] = data{"plaintext": b64(fmt.Sprint(i)), "reference": fmt.Sprint(i)}
	}
	var all sync.WaitGroup
	for _, in := range []string{"/acme/billing", "/other/billing", "/acme/ledger", "/other/ledger"} {
		all.Go(func() {
			for range 5 {
				out, err := m.Do(write("encrypt"+in, data{"batch_input": items}))
				results, _ := out["batch_results"].([]any)
				if err != nil || len(results) != len(items) {
					t.Errorf("encrypt returned %d results and %v", len(results), err)
					return
				}
				out, err = m.Do(write("decrypt"+in, data{"batch_input": reused(results)}))
				opened, _ := out["batch_results"].([]any)
				if err != nil || len(opened) != len(items) {
					t.Errorf("decrypt returned %d results and %v", len(opened), err)
					return
				}
				for i, item := range opened {
					if got, _ := item.(data); got["plaintext"] != items[i]["plaintext"] || got["reference"] != items[i]["reference"] {
						t.Errorf("item %d returned %v", i, got)
					}
				}
			}
		})
	}
	all.Wait()
}

// reused returns the items for a decryption of the results of an encryption.
func reused(results []any) []any {
	items := make([]any, len(results))
	for i, result := range results {
		r, _ := result.(data)
		items[i] = data{"ciphertext": r["ciphertext"], "reference": r["reference"]}
	}
	return items
}
