package keyring

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

func TestTupleEncodesCountLengthsAndBytes(t *testing.T) {
	got := must(newTuple(nil).text("ab").bytes(nil).u32(1).u64(2).encode())(t)
	want := []byte("\x04\x00\x02ab\x00\x00\x00\x04\x00\x00\x00\x01\x00\x08\x00\x00\x00\x00\x00\x00\x00\x02")
	if !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestTupleRejectsWhatItsLengthsCannotEncode(t *testing.T) {
	for _, test := range []struct {
		name  string
		tuple tuple
		want  error
	}{
		{"longest field", newTuple(nil).bytes(make([]byte, 65535)), nil},
		{"field too long", newTuple(nil).bytes(make([]byte, 65536)).text("x"), ErrTooLarge},
		{"most fields", newTuple(nil).texts(make([]string, 255)), nil},
		{"too many fields", newTuple(nil).texts(make([]string, 256)), ErrTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := test.tuple.encode(); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// FuzzTuple cuts two blobs into fields of the given lengths. The encodings are equal exactly when
// the fields are equal, and an encoding splits into its fields.
func FuzzTuple(f *testing.F) {
	f.Add([]byte("abc"), []byte{1, 2}, []byte("abc"), []byte{2, 1})
	f.Add([]byte("\x00\x01a"), []byte{3}, []byte("a"), []byte{1})
	f.Add([]byte{}, []byte{0}, []byte{}, []byte{0, 0})
	f.Fuzz(func(t *testing.T, a, cutsA, b, cutsB []byte) {
		fieldsA, fieldsB := cut(a, cutsA), cut(b, cutsB)
		encodedA, encodedB := encodeAll(t, fieldsA), encodeAll(t, fieldsB)
		if same := slices.EqualFunc(fieldsA, fieldsB, bytes.Equal); same != bytes.Equal(encodedA, encodedB) {
			t.Fatalf("fields %x and %x encode as %x and %x", fieldsA, fieldsB, encodedA, encodedB)
		}
		again, rest := parts(t, encodedA)
		if len(rest) != 0 || !slices.EqualFunc(again, fieldsA, bytes.Equal) {
			t.Fatalf("%x splits into %x and the rest %x, want %x", encodedA, again, rest, fieldsA)
		}
	})
}

func cut(blob, lengths []byte) [][]byte {
	var fields [][]byte
	for _, n := range lengths[:min(len(lengths), 255)] {
		size := min(int(n), len(blob))
		fields, blob = append(fields, blob[:size]), blob[size:]
	}
	return fields
}

func encodeAll(t *testing.T, fields [][]byte) []byte {
	tuple := newTuple(nil)
	for _, field := range fields {
		tuple = tuple.bytes(field)
	}
	return must(tuple.encode())(t)
}
