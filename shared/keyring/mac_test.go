package keyring

import (
	"errors"
	"testing"
)

func TestDigestVerifiesOnlyForItsInput(t *testing.T) {
	m := newTestMaster(t)
	w, stranger := newTestWorkspace(t, m), newTestWorkspace(t, m)
	data := []byte("data")

	tokens := must(w.AccessTokens())(t)
	token := AccessTokenLocation{production, "deploy", "id"}
	others(t, "access token", tokens, token, data, map[string]attempt[AccessTokenLocation]{
		"workspace":   {must(stranger.AccessTokens())(t), token, data},
		"project":     {tokens, AccessTokenLocation{EnvironmentScope{"shops", "production", ID{1}}, "deploy", "id"}, data},
		"environment": {tokens, AccessTokenLocation{EnvironmentScope{"shop", "test", ID{1}}, "deploy", "id"}, data},
		"incarnation": {tokens, AccessTokenLocation{EnvironmentScope{"shop", "production", ID{9}}, "deploy", "id"}, data},
		"name":        {tokens, AccessTokenLocation{production, "read", "id"}, data},
		"id":          {tokens, AccessTokenLocation{production, "deploy", "ie"}, data},
		"data":        {tokens, token, []byte("date")},
		"no data":     {tokens, token, nil},
	})
	remote := FingerprintLocation{"KEY"}
	all := contextsOf(t, w, stranger, (*Workspace).Fingerprints, ci, otherSyncs)
	prints := all[""]
	attempts := map[string]attempt[FingerprintLocation]{
		"remote name": {prints, FingerprintLocation{"KEYS"}, data},
		"cut":         {prints, FingerprintLocation{"KEYd"}, []byte("ata")},
	}
	for name, mac := range all {
		if name != "" {
			attempts["scope: "+name] = attempt[FingerprintLocation]{mac, remote, data}
		}
	}
	others(t, "fingerprint", prints, remote, data, attempts)
	activity := must(w.Activity())(t)
	at := ActivityLocation{"main", 2, [32]byte{1}}
	others(t, "activity", activity, at, data, map[string]attempt[ActivityLocation]{
		"workspace": {must(stranger.Activity())(t), at, data},
		"mount":     {must(m.EngineActivity())(t), at, data},
		"stream":    {activity, ActivityLocation{"side", 2, [32]byte{1}}, data},
		"sequence":  {activity, ActivityLocation{"main", 3, [32]byte{1}}, data},
		"previous":  {activity, ActivityLocation{"main", 2, [32]byte{2}}, data},
	})
	others(t, "engine activity", must(m.EngineActivity())(t), at, data, map[string]attempt[ActivityLocation]{
		"mount": {must(newTestMaster(t).EngineActivity())(t), at, data},
	})
	hmacs := must(w.ApplicationHMAC("orders"))(t)
	others(t, "application", hmacs, HMACLocation{}, data, map[string]attempt[HMACLocation]{
		"context": {must(w.ApplicationHMAC("order"))(t), HMACLocation{}, data},
		"data":    {hmacs, HMACLocation{}, []byte("data\x00")},
	})
}

// attempt is a verification with one thing changed.
type attempt[L macLocation] struct {
	mac  *MAC[L]
	at   L
	data []byte
}

func others[L macLocation](t *testing.T, name string, m *MAC[L], at L, data []byte, attempts map[string]attempt[L]) {
	t.Helper()
	d := must(m.Sum(at, data))(t)
	if err := m.Verify(at, data, d); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	for changed, a := range attempts {
		if err := a.mac.Verify(a.at, a.data, d); !errors.Is(err, ErrVerify) {
			t.Errorf("%s with another %s: %v", name, changed, err)
		}
	}
	for i := range len(d.Sum()) * 8 {
		sum := d.Sum()
		sum[i/8] ^= 1 << (i % 8)
		if err := m.Verify(at, data, must(ParseDigest[L](d.KeyVersion(), sum))(t)); !errors.Is(err, ErrVerify) {
			t.Errorf("%s with bit %d flipped: %v", name, i, err)
		}
	}
	if err := m.Verify(at, data, must(ParseDigest[L](d.KeyVersion()+1, d.Sum()))(t)); !errors.Is(err, ErrVerify) {
		t.Errorf("%s of an unknown key version: %v", name, err)
	}
	if err := m.Verify(at, data, Digest[L]{}); !errors.Is(err, ErrVerify) {
		t.Errorf("%s, no digest: %v", name, err)
	}
}

func TestDigestsIgnoreTheMinimumAndEndWithTheirKey(t *testing.T) {
	w := newTestWorkspace(t, newTestMaster(t))
	d := must(must(w.AccessTokens())(t).Sum(AccessTokenLocation{ID: "id"}, nil))(t)
	raised := must(rotated(t, w, 1).SetMinDecryption(2))(t)
	if err := must(raised.AccessTokens())(t).Verify(AccessTokenLocation{ID: "id"}, nil, d); err != nil {
		t.Errorf("below the minimum: %v", err)
	}
	trimmed := must(raised.Trim())(t)
	if err := must(trimmed.AccessTokens())(t).Verify(AccessTokenLocation{ID: "id"}, nil, d); !errors.Is(err, ErrVerify) {
		t.Errorf("trimmed: %v", err)
	}
}

func TestTextOfADigestIsUnique(t *testing.T) {
	d := must(ParseDigest[HMACLocation](12, [32]byte{0xff, 0xef}))(t)
	const text = "stash-mac:v12:_-8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	if d.Text() != text {
		t.Errorf("prints as %s", d.Text())
	}
	if again := must(ParseDigestText[HMACLocation](text))(t); again.Sum() != d.Sum() || again.KeyVersion() != 12 {
		t.Error("parses as another digest")
	}
	payload := text[len("stash-mac:v12:"):]
	for name, s := range map[string]string{
		"empty":            "",
		"other prefix":     "stash:v12:" + payload,
		"no version":       "stash-mac:v:" + payload,
		"version 0":        "stash-mac:v0:" + payload,
		"leading zero":     "stash-mac:v012:" + payload,
		"sign":             "stash-mac:v+12:" + payload,
		"version too high": "stash-mac:v4294967296:" + payload,
		"line break":       text[:20] + "\n" + text[20:],
		"padding":          text + "=",
		"trailing bits":    text[:len(text)-1] + "B",
		"other alphabet":   "stash-mac:v12:/+8" + payload[3:],
		"too short":        text[:len(text)-3],
		"too long":         text + "AAAA",
	} {
		if _, err := ParseDigestText[HMACLocation](s); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseDigest[HMACLocation](0, [32]byte{}); !errors.Is(err, ErrFormat) {
		t.Errorf("key version 0: %v", err)
	}
}

func TestCiphertextTextContainsTheKeyVersionOfItsHeader(t *testing.T) {
	c := must(rotated(t, newTestWorkspace(t, newTestMaster(t)), 11).Application("a"))(t)
	ct := must(c.Seal(ApplicationLocation{}, nil))(t)
	text := ct.Text()
	const prefix = "stash:v12:AQEFAAAAAAw"
	if text[:len(prefix)-1] != prefix[:len(prefix)-1] {
		t.Fatalf("text is %s", text)
	}
	for _, s := range []string{
		"stash:v11:" + text[len("stash:v12:"):], "stash:v012:" + text[len("stash:v12:"):], text + "\r\n", text + "=", " " + text, text + text,
	} {
		if _, err := ParseText[ApplicationLocation](s); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", s, err)
		}
	}
}
