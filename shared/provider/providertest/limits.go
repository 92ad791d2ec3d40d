package providertest

import (
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

var limitChecks = []check{
	{"the longest name is accepted and a longer one rejected", func(r *rig) string {
		if r.destination.Limits.MaxNameBytes == 0 {
			return "Limits.MaxNameBytes is 0"
		}
		return ""
	}, longestName},
	{"names that violate the rule are rejected", func(r *rig) string {
		if r.destination.Limits.Name == nil {
			return "Limits.Name is nil"
		}
		return ""
	}, namesAgainstTheRule},
	{"names with a reserved prefix are rejected", func(r *rig) string {
		if len(r.destination.Limits.Reserved) == 0 {
			return "Limits.Reserved is empty"
		}
		return ""
	}, reservedNames},
	{"the largest value is accepted and a larger one rejected", func(r *rig) string {
		if r.destination.Limits.MaxValueBytes == 0 {
			return "Limits.MaxValueBytes is 0"
		}
		return ""
	}, largestValue},
	{"a full place accepts no further entry", func(r *rig) string {
		switch n := r.destination.Limits.MaxEntries; {
		case n == 0:
			return "Limits.MaxEntries is 0"
		case n > 200:
			return "Limits.MaxEntries is more than the suite fills"
		}
		return ""
	}, fullPlace},
	{"values of arbitrary bytes arrive unchanged", func(r *rig) string {
		if r.destination.Limits.TextOnly {
			return "Limits.TextOnly is true"
		}
		return ""
	}, allBytes},
	{"values of arbitrary text arrive unchanged", nil, allText},
	{"values that are not text are rejected", func(r *rig) string {
		if !r.destination.Limits.TextOnly {
			return "Limits.TextOnly is false"
		}
		return ""
	}, notText},
	{"an empty value", nil, emptyValue},
}

// rejected requires that a change has failed with class Invalid or Limit.
func rejected(t testing.TB, what string, result provider.Result) {
	t.Helper()
	if result.Outcome != provider.Failed {
		t.Errorf("%s: %s, want %s: %v", what, result.Outcome, provider.Failed, result.Err)
		return
	}
	classIn(t, what, result.Err, outbound.Invalid, outbound.Limit)
}

func longestName(t testing.TB, r *rig) {
	name := r.names(t, 1)[0]
	longest := name + strings.Repeat("0", r.destination.Limits.MaxNameBytes-len(name))
	r.done(t, provider.Change{Name: longest, Value: []byte("one")})
	if _, ok := r.list(t)[r.stored(longest)]; !ok {
		t.Error("List does not return the longest name")
	}
	rejected(t, "a longer name", r.apply(t.Context(), t, provider.Change{Name: longest + "0", Value: []byte("one")})[0])
}

func namesAgainstTheRule(t testing.TB, r *rig) {
	for _, name := range []string{"", "..", "A\x00", "A\nB", "A%2fB", "A?list=true", "A#B", "../" + r.names(t, 1)[0]} {
		rejected(t, "the name "+name, r.apply(t.Context(), t, provider.Change{Name: name, Value: []byte("one")})[0])
	}
	if truth := r.Truth(); len(truth) != 0 {
		t.Errorf("the place has %d entries, want none", len(truth))
	}
}

func reservedNames(t testing.TB, r *rig) {
	for _, prefix := range r.destination.Limits.Reserved {
		rejected(t, "a reserved name", r.apply(t.Context(), t, provider.Change{Name: prefix + "A", Value: []byte("one")})[0])
	}
}

func largestValue(t testing.TB, r *rig) {
	names, n := r.names(t, 2), r.destination.Limits.MaxValueBytes
	if r.place.Granularity == provider.Bundle {
		// In a bundle the names count as well.
		n -= 1 << 10
	}
	r.done(t, provider.Change{Name: names[0], Value: []byte(strings.Repeat("v", n))})
	over := r.destination.Limits.MaxValueBytes + 1
	rejected(t, "a larger value", r.apply(t.Context(), t, provider.Change{Name: names[1], Value: []byte(strings.Repeat("v", over))})[0])
}

func fullPlace(t testing.TB, r *rig) {
	names := r.names(t, r.destination.Limits.MaxEntries+1)
	for _, name := range names[1:] {
		r.Plant(name, "foreign")
	}
	rejected(t, "one more", r.apply(t.Context(), t, provider.Change{Name: names[0], Value: []byte("one")})[0])
	r.done(t, provider.Change{Name: names[1], Value: []byte("two"), Expect: r.expect(t, names[1])})
}

func (r *rig) roundTrip(t testing.TB, values ...string) {
	t.Helper()
	names := r.names(t, len(values))
	for i, name := range names {
		r.done(t, provider.Change{Name: name, Value: []byte(values[i])})
	}
	reader, ok := r.Provider.(provider.Reader)
	if !ok || r.destination.ReadBack != provider.ReadBackValue {
		return
	}
	read, err := reader.Read(t.Context(), r.session, r.place, names)
	if err != nil || len(read) != len(values) {
		t.Fatalf("Read returned %d values and the error %v", len(read), err)
	}
	for _, v := range read {
		for i, name := range names {
			if v.Name == name && string(v.Bytes) != values[i] {
				t.Errorf("value %d: Read returned another value than was written", i)
			}
		}
	}
}

func allBytes(t testing.TB, r *rig) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	r.roundTrip(t, string(every), "\x00", "\xff\xfe", "\x00\x00\x01")
}

func allText(t testing.TB, r *rig) {
	var ascii strings.Builder
	for c := range byte(0x80) {
		ascii.WriteByte(c)
	}
	r.roundTrip(t, ascii.String(), "two\nlines\r\n", "\ttabs and  spaces ", `"quoted" \n \\ {"json": [1, 2]}`, "<a href='x'>&amp;</a>", "${HOME} %s {{.Name}}",
		"\u00e9 e\u0301 \u2028\u2029 \ufeff \U0001f511", "null", "true", "12345678901234567890.0", "-----BEGIN X-----\nAA==\n-----END X-----\n")
}

func notText(t testing.TB, r *rig) {
	for i, name := range r.names(t, 3) {
		value := [][]byte{{0xff}, []byte("a\xc3"), []byte("\xed\xa0\x80")}[i]
		rejected(t, "a value that is not UTF-8", r.apply(t.Context(), t, provider.Change{Name: name, Value: value})[0])
	}
}

func emptyValue(t testing.TB, r *rig) {
	if r.destination.Limits.NoEmptyValue {
		rejected(t, "an empty value", r.apply(t.Context(), t, provider.Change{Name: r.names(t, 1)[0], Value: []byte{}})[0])
		return
	}
	r.roundTrip(t, "")
}
