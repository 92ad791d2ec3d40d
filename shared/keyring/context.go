package keyring

// Location is the address of a ciphertext within its context. Every call builds the location from
// the request. A location from the stored record would move together with the ciphertext and prove
// nothing.
type Location interface {
	SecretLocation | CredentialLocation | LeaseLocation | RotationLocation | SyncLocation | WebhookLocation | ApplicationLocation

	// domain returns the domain byte of the envelope.
	domain() byte
	// bind appends the location's fields to a binding.
	bind(binding tuple) tuple
}

// Context seals and opens the ciphertexts of one scope of a workspace, such as the secrets of one
// environment. It is safe for concurrent use. After a Wipe of the context or of its workspace,
// Seal, Open and Rewrap return ErrWiped.
type Context[L Location] struct {
	_ [0]func(L) // prevents conversion and comparison

	keys    *derived
	message template // its binding contains the label and the scope
	minimum uint32   // lowest key version that Open accepts
}

func newContext[L Location](w *Workspace, label string, scope tuple) (*Context[L], error) {
	scopeFields, err := scope.fields()
	if err != nil {
		return nil, err
	}
	keys, err := newDerived(w.keys, label, scopeFields)
	if err != nil {
		return nil, err
	}
	return &Context[L]{keys: keys, message: template(newTemplate().text(label).all(scopeFields)), minimum: w.minimum}, nil
}

// Seal encrypts a plaintext of at most MaxPlaintext bytes for one location under the latest key
// version. Its errors are ErrTooLarge and ErrWiped.
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

// Open decrypts a ciphertext that was sealed for the same location. It uses the key version in the
// ciphertext. The caller clears the plaintext. An empty plaintext is not nil. The errors are
// ErrOpen, ErrTooLarge and ErrWiped.
func (c *Context[L]) Open(at L, ct Ciphertext[L]) ([]byte, error) {
	if c.keys == nil {
		return nil, ErrWiped
	}
	e := ct.envelope()
	if version := e.version(); version == 0 || version < c.minimum {
		return nil, opaque(c.keys.alive(), ErrOpen)
	}
	m, keys, err := c.messageKeys(at, e.version(), e[:commitmentOffset])
	if err != nil {
		return nil, err
	}
	defer clear(keys)
	return open(e, m, keys)
}

// Rewrap opens a ciphertext and seals the plaintext for the same location under the latest key
// version. The plaintext does not leave the package. The errors are the same as those of Open.
func (c *Context[L]) Rewrap(at L, ct Ciphertext[L]) (Ciphertext[L], error) {
	plaintext, err := c.Open(at, ct)
	if err != nil {
		return Ciphertext[L]{}, err
	}
	defer clear(plaintext)
	return c.Seal(at, plaintext)
}

// Wipe waits for operations that are using the context's keys, then clears the keys from memory.
func (c *Context[L]) Wipe() { c.keys.wipe() }

// messageKeys derives the keys of one message. The caller clears them.
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

// Ciphertext is a sealed value of one kind of location. Ciphertexts of other kinds have other
// types. It is immutable, and its zero value does not open. No verb of package fmt prints its
// bytes.
type Ciphertext[L Location] struct {
	_ [0]func(L)

	sealed hidden[envelope]
}

func newCiphertext[L Location](e envelope) Ciphertext[L] { return Ciphertext[L]{sealed: hide(e)} }

// ParseCiphertext parses the stored form. It returns ErrFormat for anything but a ciphertext of
// this kind of location.
func ParseCiphertext[L Location](b []byte) (Ciphertext[L], error) {
	var at L
	e, err := parseEnvelope(b, at.domain())
	if err != nil {
		return Ciphertext[L]{}, err
	}
	return newCiphertext[L](append(envelope(nil), e...)), nil
}

// ParseText parses the text form stash:v<key version>:<base64url>. Each ciphertext has exactly one
// text. ParseText returns ErrFormat for any other text.
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

// Bytes returns the stored form. The caller owns the slice.
func (ct Ciphertext[L]) Bytes() []byte { return append([]byte(nil), ct.envelope()...) }

// Text returns the text form, which people and APIs use. It is "" for the zero value.
func (ct Ciphertext[L]) Text() string {
	if ct.sealed == nil {
		return ""
	}
	return printText(textPrefix, ct.KeyVersion(), ct.envelope())
}

// KeyVersion returns the version of the workspace key under which the ciphertext was sealed. It is
// 0 for the zero value.
func (ct Ciphertext[L]) KeyVersion() uint32 { return ct.envelope().version() }

func (ct Ciphertext[L]) envelope() envelope {
	if ct.sealed == nil {
		return nil
	}
	return ct.sealed()
}
