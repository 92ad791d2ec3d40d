package providertest

import (
	"slices"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

var readChecks = []check{
	{"values are read back", readsBack(provider.ReadBackValue), readValues},
	{"times of writes are returned", readsBack(provider.ReadBackTimestamp), readTimes},
	{"only a destination with ReadBackValue has a Reader", func(r *rig) string {
		if r.destination.ReadBack == provider.ReadBackValue {
			return "Destination.ReadBack is " + string(provider.ReadBackValue)
		}
		return ""
	}, readNothing},
}

func readValues(t testing.TB, r *rig) {
	names := r.names(t, 4)
	r.Plant(names[0], "foreign")
	r.done(t, provider.Change{Name: names[1], Value: []byte("ours")}, provider.Change{Name: names[2], Value: []byte("ours too")})
	reader, ok := r.Provider.(provider.Reader)
	if !ok {
		t.Fatal("Destination.ReadBack is value, but the provider does not implement Reader")
	}
	values, err := reader.Read(t.Context(), r.session, r.place, []string{names[3], names[2], names[0], names[1]})
	if err != nil {
		t.Fatal(err)
	}
	var read []string
	for _, v := range values {
		read = append(read, r.stored(v.Name)+"="+string(v.Bytes))
	}
	slices.Sort(read)
	want := []string{r.stored(names[0]) + "=foreign", r.stored(names[1]) + "=ours", r.stored(names[2]) + "=ours too"}
	if !slices.Equal(read, want) {
		t.Errorf("Read returned %q, want %q", read, want)
	}
	if values, err := reader.Read(t.Context(), r.session, r.place, nil); err != nil || len(values) != 0 {
		t.Errorf("Read without names returned %d values and the error %v", len(values), err)
	}
}

func readTimes(t testing.TB, r *rig) {
	name := r.names(t, 1)[0]
	first := r.done(t, provider.Change{Name: name, Value: []byte("one")})[0].Entry
	second := r.done(t, provider.Change{Name: name, Value: []byte("two"), Expect: &first})[0].Entry
	if first.Updated.IsZero() || second.Updated.Before(first.Updated) {
		t.Errorf("the times of two writes are %v and %v", first.Updated, second.Updated)
	}
}

func readNothing(t testing.TB, r *rig) {
	if _, ok := r.Provider.(provider.Reader); !ok {
		return
	}
	for _, d := range r.declaration.Destinations {
		if d.ReadBack == provider.ReadBackValue {
			t.Skip("another destination of the provider has ReadBackValue")
		}
	}
	t.Error("the provider implements Reader, but none of its destinations has ReadBackValue")
}
