package keyring

import (
	"encoding/binary"
	"math"
)

// tuple builds T(f1..fn) = u8(n) || for each field: u16be(len) || bytes. This is the encoding of
// every HKDF info, binding and HMAC input. It is injective: two different lists of fields never
// have the same encoding. Methods take and return a tuple by value, which keeps it off the heap.
type tuple struct {
	buf   []byte
	start int // offset of the tuple in buf
	n     int // number of fields
	err   error
}

// newTuple begins a tuple after the bytes of buf.
func newTuple(buf []byte) tuple { return tuple{buf: append(buf, 0), start: len(buf)} }

func (t tuple) length(n int) tuple {
	if n > math.MaxUint16 {
		// A truncated field would be equal to a different field.
		t.err = ErrTooLarge
	}
	t.buf = binary.BigEndian.AppendUint16(t.buf, uint16(n))
	t.n++
	return t
}

func (t tuple) text(s string) tuple {
	t = t.length(len(s))
	t.buf = append(t.buf, s...)
	return t
}

func (t tuple) texts(list []string) tuple {
	for _, s := range list {
		t = t.text(s)
	}
	return t
}

func (t tuple) bytes(b []byte) tuple {
	t = t.length(len(b))
	t.buf = append(t.buf, b...)
	return t
}

func (t tuple) u32(v uint32) tuple {
	t = t.length(4)
	t.buf = binary.BigEndian.AppendUint32(t.buf, v)
	return t
}

func (t tuple) u64(v uint64) tuple {
	t = t.length(8)
	t.buf = binary.BigEndian.AppendUint64(t.buf, v)
	return t
}

// all appends the fields of another tuple.
func (t tuple) all(f fields) tuple {
	t.buf = append(t.buf, f.encoded...)
	t.n += f.n
	return t
}

// encode ends the tuple and returns the whole buffer, including the bytes before the tuple.
func (t tuple) encode() ([]byte, error) {
	if t.n > math.MaxUint8 {
		t.err = ErrTooLarge
	}
	if t.err != nil {
		return nil, t.err
	}
	t.buf[t.start] = byte(t.n)
	return t.buf, nil
}

// fields is a list of encoded fields without a count. It is the common part of a scope's tuples.
type fields struct {
	encoded []byte
	n       int
}

func (t tuple) fields() (fields, error) {
	encoded, err := t.encode()
	if err != nil {
		return fields{}, err
	}
	return fields{encoded[t.start+1:], t.n}, nil
}
