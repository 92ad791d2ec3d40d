package keyring

// Location is where a ciphertext belongs within its context. It is rebuilt from the request on every call, never read from the
// stored record: that would move together with the ciphertext.
type Location interface {
	SecretLocation | CredentialLocation | LeaseLocation | RotationLocation | SyncLocation | WebhookLocation | ApplicationLocation

	// domain is the envelope's domain byte.
	domain() byte
	// bind adds the location's fields to a binding.
	bind(binding tuple) tuple
}

// Context seals and opens the ciphertexts of one scope of a workspace, such as the secrets of one environment. It is safe for
// concurrent use and of no use after Wipe, of itself or of the workspace it came from.
type Context[L Location] struct {
	_ [0]func(L) // makes contexts of different locations inconvertible, and incomparable

	keys    *derived
	message template // whose binding has the label and the scope
	minimum uint32
}

func newContext[L Location](w *Workspace, label string, scope tuple) (*Context[L], error) {
	of, err := scope.fields()
	if err != nil {
		return nil, err
	}
	keys, err := newDerived(w.keys, label, of)
	if err != nil {
		return nil, err
	}
	return &Context[L]{keys: keys, message: template(newTemplate().text(label).all(of)), minimum: w.minimum}, nil
}

// Seal encrypts plaintext, of at most MaxPlaintext bytes, for one location under the latest key version. Its errors are
// ErrTooLarge and ErrWiped.
func (c *Context[L]) Seal(at L, plaintext []byte) (Ciphertext[L], error) {
	if len(plaintext) > MaxPlaintext {
		return Ciphertext[L]{}, ErrTooLarge
	}
	if c.keys == nil {
		return Ciphertext[L]{}, ErrWiped
	}
	version := c.keys.parent.latest()
	h := newHead(at.domain(), version, len(plaintext))
	m, keys, err := c.messageKeys(at, version, h)
	if err != nil {
		return Ciphertext[L]{}, err
	}
	defer clear(keys)
	e, err := seal(h, m, keys, plaintext)
	if err != nil {
		return Ciphertext[L]{}, err
	}
	return newCiphertext[L](e), nil
}

// Open decrypts what was sealed for the same location, under the key version that the ciphertext names. The plaintext is the
// caller's to clear; an empty one is not nil. Its errors are ErrOpen, ErrTooLarge and ErrWiped.
func (c *Context[L]) Open(at L, ct Ciphertext[L]) ([]byte, error) {
	if c.keys == nil {
		return nil, ErrWiped
	}
	e := ct.envelope()
	if version := e.version(); version == 0 || version < c.minimum {
		return nil, opaque(c.keys.alive(), ErrOpen)
	}
	m, keys, err := c.messageKeys(at, e.version(), e[:commitmentAt])
	if err != nil {
		return nil, err
	}
	defer clear(keys)
	return open(e, m, keys)
}

// Rewrap seals anew, under the latest key version, what is sealed for a location. The plaintext does not leave the package. Its
// errors are those of Open.
func (c *Context[L]) Rewrap(at L, ct Ciphertext[L]) (Ciphertext[L], error) {
	plaintext, err := c.Open(at, ct)
	if err != nil {
		return Ciphertext[L]{}, err
	}
	defer clear(plaintext)
	return c.Seal(at, plaintext)
}

// Wipe clears the context's keys from memory, once the operations that use them are done.
func (c *Context[L]) Wipe() { c.keys.wipe() }

// messageKeys expands the keys of one message. The caller clears them.
func (c *Context[L]) messageKeys(at L, version uint32, h []byte) (m message, keys []byte, err error) {
	m, err = endMessage(at.bind(c.message.begin(h)))
	if err != nil {
		return nil, nil, err
	}
	err = c.keys.use(version, func(key *[keySize]byte) (err error) {
		keys, err = expand(key, m, messageKeysSize)
		return err
	})
	if err != nil {
		return nil, nil, opaque(err, ErrOpen)
	}
	return m, keys, nil
}

// Ciphertext is one sealed value of a location's kind: those of other kinds do not fit where it does. It is immutable; its zero
// value opens nowhere. No verb of package fmt prints its bytes.
type Ciphertext[L Location] struct {
	_ [0]func(L)

	sealed hidden[envelope]
}

func newCiphertext[L Location](e envelope) Ciphertext[L] { return Ciphertext[L]{sealed: hide(e)} }

// ParseCiphertext reads the stored form. It refuses with ErrFormat what is not a ciphertext of the location's kind.
func ParseCiphertext[L Location](b []byte) (Ciphertext[L], error) {
	var at L
	e, err := parseEnvelope(b, at.domain())
	if err != nil {
		return Ciphertext[L]{}, err
	}
	return newCiphertext[L](append(envelope(nil), e...)), nil
}

// ParseText reads the text form, stash:v<key version>:<base64url>. Each ciphertext has one text; everything else is refused with
// ErrFormat.
func ParseText[L Location](s string) (Ciphertext[L], error) {
	var at L
	version, payload, err := parseText(textPrefix, s, overhead+MaxPlaintext)
	if err != nil {
		return Ciphertext[L]{}, err
	}
	e, err := parseEnvelope(payload, at.domain())
	if err != nil {
		return Ciphertext[L]{}, err
	}
	if e.version() != version {
		return Ciphertext[L]{}, ErrFormat
	}
	return newCiphertext[L](e), nil
}

// Bytes is the form to store. The caller owns what is returned.
func (ct Ciphertext[L]) Bytes() []byte { return append([]byte(nil), ct.envelope()...) }

// Text is the form that people and APIs see.
func (ct Ciphertext[L]) Text() string {
	if ct.sealed == nil {
		return ""
	}
	return printText(textPrefix, ct.KeyVersion(), ct.envelope())
}

// KeyVersion is the version of the workspace key that it was sealed under.
func (ct Ciphertext[L]) KeyVersion() uint32 { return ct.envelope().version() }

func (ct Ciphertext[L]) envelope() envelope {
	if ct.sealed == nil {
		return nil
	}
	return ct.sealed()
}
