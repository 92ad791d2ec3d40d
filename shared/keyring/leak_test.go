package keyring

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
)

// window is the number of consecutive bytes of a secret that count as a leak.
const window = 8

// renderings returns the forms in which a window may appear in an output.
func renderings(b []byte) []string {
	decimal := make([]string, len(b))
	for i, v := range b {
		decimal[i] = strconv.Itoa(int(v))
	}
	quoted := strconv.Quote(string(b))
	ascii := strconv.QuoteToASCII(string(b))
	forms := []string{
		string(b), quoted[1 : len(quoted)-1], ascii[1 : len(ascii)-1],
		fmt.Sprintf("%x", b), fmt.Sprintf("%X", b), fmt.Sprintf("% x", b), fmt.Sprintf("% X", b), fmt.Sprintf("% #x", b),
		strings.Join(decimal, " "), strings.Join(decimal, ","), strings.Join(decimal, ", "),
		strings.Trim(fmt.Sprintf("%#v", b), "[]byte{}"), strings.Trim(fmt.Sprintf("%b", b), "[]"), strings.Trim(fmt.Sprintf("%o", b), "[]"),
	}
	// The base64 form depends on the position of the window in its groups of three bytes.
	// Characters that also encode a byte outside the window are cut off.
	for shift := range 3 {
		padded := append(make([]byte, shift), b...)
		whole := len(padded) / 3 * 4
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			forms = append(forms, encoding.EncodeToString(padded)[(shift+2)/3*4:whole])
		}
	}
	return forms
}

// search finds secrets in one output. It indexes every position at which a rendering could begin,
// so that checking a window is one lookup.
type search struct {
	output string
	starts map[string]bool
}

func newSearch(output string) search {
	s := search{output, make(map[string]bool)}
	for i := range len(output) - window + 1 {
		s.starts[output[i:i+window]] = true
	}
	return s
}

// find returns how a part of a secret appears in the output, or "".
func (s search) find(secret []byte) string {
	for i := range len(secret) - window + 1 {
		for j, form := range renderings(secret[i : i+window]) {
			if s.starts[form[:window]] && strings.Contains(s.output, form) {
				return fmt.Sprintf("bytes %d to %d, in rendering %d", i, i+window, j)
			}
		}
	}
	return ""
}

// formats returns every verb with every flag, and invalid formats.
func formats() []string {
	all := []string{"no verb", "%", "%!", "%[5]v", "%[1]*v", "%*d", "%.[2]*[1]v"}
	for _, verb := range "bcdeEfFgGoOpqstTUvwxXyz" {
		for _, flags := range []string{"", "+", "#", "-", " ", "0", "+#", "# ", "10.30"} {
			all = append(all, "%"+flags+string(verb))
		}
	}
	return all
}

// outputs returns a value in every form that prints or marshals it, alone and as a part of other
// values.
func outputs[T any](value T) string {
	type holder struct {
		Exported T
		hidden   T
		pointer  *T
		any      any
	}
	held := holder{value, value, &value, value}
	forms := []any{
		value, &value, []T{value}, [1]T{value}, map[string]T{"k": value}, held, &held, []any{value}, fmt.Errorf("%v %w", value, ErrOpen),
	}
	var out strings.Builder
	seen := make(map[string]bool)
	note := func(s string) {
		if !seen[s] {
			seen[s] = true
			out.WriteString(s + "\n")
		}
	}
	for _, form := range forms {
		for _, format := range formats() {
			note(fmt.Sprintf(format, form))
		}
		note(fmt.Sprint(form))
		b, err := json.Marshal(form)
		note(fmt.Sprintf("%s %v", b, err))
		b, err = xml.Marshal(form)
		note(fmt.Sprintf("%s %v", b, err))
		var log bytes.Buffer
		for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
			slog.New(handler).Error("message", "form", form)
		}
		note(log.String())
	}
	return out.String()
}

// planted holds every secret of a keyring, and the outputs of all its types and errors.
type planted struct {
	secrets map[string][]byte
	printed map[string]string
}

func plant(t *testing.T) planted {
	m := must(newTestMaster(t).Rotate(day))(t)
	w := rotated(t, newTestWorkspace(t, m), 1)
	plaintext := []byte("a plaintext, Planted To Be Found!")
	at := SecretLocation{"name", 1}
	c := must(w.Secrets(production))(t)
	tokens := must(w.AccessTokens())(t)
	ct := must(c.Seal(at, plaintext))(t)
	d := must(tokens.Sum(AccessTokenLocation{ID: "id"}, plaintext))(t)
	sum := d.Sum()
	p := planted{
		secrets: map[string][]byte{"plaintext": plaintext, "ciphertext": ct.Bytes(), "digest": sum[:], "context key": c.keys.keys[2][:]},
		printed: map[string]string{
			"Master": outputs(m), "Master value": outputs(*m), "Workspace": outputs(w), "Workspace value": outputs(*w),
			"Context": outputs(c), "Context value": outputs(*c), "MAC": outputs(tokens), "MAC value": outputs(*tokens),
			"Ciphertext": outputs(ct), "Digest": outputs(d), "VersionInfo": outputs(w.Versions()),
			"EntryInfo": outputs(must(InspectEntry(must(m.Wrap(w))(t)))(t)),
		},
	}
	for name, r := range map[string]*ring{"master": m.keys, "workspace": w.keys} {
		for i := range r.versions {
			p.secrets[fmt.Sprintf("%s key %d", name, i)] = r.versions[i].key[:]
		}
	}
	for i, err := range plantedErrors(m, w, c, tokens, ct, d, plaintext) {
		if err == nil {
			t.Errorf("call %d returned no error", i)
		} else if p.printed[err.Error()] == "" {
			p.printed[err.Error()] = outputs(err)
		}
	}
	return p
}

// plantedErrors passes secrets to every function that can fail.
func plantedErrors(
	m *Master, w *Workspace, c *Context[SecretLocation], tokens *MAC[AccessTokenLocation],
	ct Ciphertext[SecretLocation], d Digest[AccessTokenLocation], plaintext []byte,
) (errs []error) {
	note := func(err error) { errs = append(errs, err) }
	record, _ := m.Encode()
	key := w.keys.versions[0].key[:]
	_, err := DecodeMaster(record[1:])
	note(err)
	_, err = DecodeMaster(append(record, key...))
	note(err)
	_, err = InspectEntry(record)
	note(err)
	_, err = m.Unwrap(w.Scope(), record)
	note(err)
	_, err = ParseID(fmt.Sprintf("%x", key))
	note(err)
	_, err = ParseCiphertext[SecretLocation](plaintext)
	note(err)
	_, err = ParseCiphertext[SyncLocation](ct.Bytes())
	note(err)
	_, err = ParseText[SecretLocation](string(plaintext))
	note(err)
	_, err = ParseText[SecretLocation]("stash:v1:" + base64.RawURLEncoding.EncodeToString(key))
	note(err)
	_, err = ParseText[SyncLocation](ct.Text())
	note(err)
	_, err = ParseDigestText[HMACLocation]("stash-mac:v" + fmt.Sprintf("%d", key))
	note(err)
	_, err = ParseDigestText[HMACLocation](d.Text() + "A")
	note(err)
	_, err = c.Open(SecretLocation{Name: string(plaintext)}, ct)
	note(err)
	_, err = c.Seal(SecretLocation{Name: strings.Repeat(string(plaintext), 5000)}, plaintext)
	note(err)
	note(tokens.Verify(AccessTokenLocation{Name: string(plaintext)}, plaintext, d))
	_, err = w.SetMinDecryption(9)
	note(err)
	_, err = m.Trim(9)
	note(err)
	for _, value := range []any{m, w, c, tokens, ct, d} {
		_, err = json.Marshal(value)
		note(err)
	}
	return errs
}

func TestNothingPrintsAKeyAPlaintextOrACiphertext(t *testing.T) {
	p := plant(t)
	for name, output := range p.printed {
		search := newSearch(output)
		for of, secret := range p.secrets {
			if leak := search.find(secret); leak != "" {
				t.Errorf("%s prints the %s: %s", name, of, leak)
			}
		}
	}
}

// This is the positive control: the search finds a key that a naive type holds, in every form of
// output.
func TestLeakSearchFindsAPlantedKey(t *testing.T) {
	secret := randomBytes(keySize)
	type naive struct{ Key []byte }
	type plain struct{ key [keySize]byte }
	type near struct{ key *[keySize]byte }
	for name, output := range map[string]string{
		"outputs of bytes":    outputs(secret),
		"outputs of a field":  outputs(naive{secret}),
		"outputs of an array": outputs(plain{[keySize]byte(secret)}),
		"outputs, a pointer":  outputs(near{(*[keySize]byte)(secret)}),
		"outputs of an error": outputs(fmt.Errorf("bad key %q", secret)),
		"raw":                 "key " + string(secret),
		"part":                string(secret[11:19]),
		"upper case":          fmt.Sprintf("%X", secret[3:20]),
		"decimal":             fmt.Sprintf("%d", secret),
		"Go syntax":           fmt.Sprintf("%#v", secret),
		"base64 0":            base64.StdEncoding.EncodeToString(secret),
		"base64 1":            base64.StdEncoding.EncodeToString(append([]byte("x"), secret...)),
		"base64 2":            base64.URLEncoding.EncodeToString(append([]byte("xy"), secret...)),
	} {
		if newSearch(output).find(secret) == "" {
			t.Errorf("the search misses the key in: %s", name)
		}
	}
	if leak := newSearch(outputs("nothing")).find(secret); leak != "" {
		t.Errorf("found in an output without the key: %s", leak)
	}
}
