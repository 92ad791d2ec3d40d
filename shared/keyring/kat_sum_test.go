package keyring

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// testdata/kat/v1.sum has one line for each vector, in the order of the vectors. A line is the
// SHA-256 of the vector's compact JSON in hexadecimal digits, two spaces, and the vector's name.
// Lines are added, never changed. A changed or missing vector means that stored data no longer
// opens.
var sumFile = filepath.Join("testdata", "kat", "v1.sum")

// vectorSum is one line of testdata/kat/v1.sum.
type vectorSum struct{ hash, name string }

func (s vectorSum) line() string { return s.hash + "  " + s.name + "\n" }

func sumOf(v vector) vectorSum {
	compact, err := json.Marshal(v)
	if err != nil {
		panic(err) // cannot happen: a vector contains only strings and numbers
	}
	hash := sha256.Sum256(compact)
	return vectorSum{hex.EncodeToString(hash[:]), v.Name}
}

func readSums(t testing.TB) []vectorSum {
	t.Helper()
	b, err := os.ReadFile(sumFile)
	if errors.Is(err, os.ErrNotExist) && *addVectors {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var sums []vectorSum
	for line := range strings.Lines(string(b)) {
		hash, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if !ok {
			t.Fatalf("%s: %q is not a hash and a name", sumFile, line)
		}
		sums = append(sums, vectorSum{hash, name})
	}
	return sums
}

// compareSums returns a problem for each vector that has no line or differs from its line, and for
// each line without a vector.
func compareSums(vectors []vector, sums []vectorSum) (problems []string) {
	found := make(map[string]vectorSum, len(vectors))
	for _, v := range vectors {
		if _, twice := found[v.Name]; twice {
			problems = append(problems, fmt.Sprintf("there are two vectors %q", v.Name))
		}
		found[v.Name] = sumOf(v)
	}
	listed := make(map[string]bool, len(sums))
	for _, want := range sums {
		listed[want.name] = true
		switch got, exists := found[want.name]; {
		case !exists:
			problems = append(problems, fmt.Sprintf("vector %q is missing", want.name))
		case got != want:
			problems = append(problems, fmt.Sprintf("vector %q has changed", want.name))
		}
	}
	for _, v := range vectors {
		if !listed[v.Name] {
			problems = append(problems, fmt.Sprintf("vector %q is not listed in %s", v.Name, sumFile))
		}
	}
	return problems
}

func TestVectorsAreUnchanged(t *testing.T) {
	for _, problem := range compareSums(readVectors(t), readSums(t)) {
		t.Error(problem)
	}
}

func TestSumsDetectEveryChangeOfAVector(t *testing.T) {
	vectors, sums := readVectors(t), readSums(t)
	named := func(v vector, name string) vector { v.Name = name; return v }
	for name, test := range map[string]struct {
		vectors []vector
		want    string
	}{
		"removed": {slices.Delete(slices.Clone(vectors), 3, 4), fmt.Sprintf("vector %q is missing", vectors[3].Name)},
		"renamed": {append(slices.Clone(vectors[1:]), named(vectors[0], "new")), fmt.Sprintf("vector %q is missing", vectors[0].Name)},
		"added":   {append(slices.Clone(vectors), named(vectors[0], "new")), fmt.Sprintf("vector %q is not listed in %s", "new", sumFile)},
		"twice":   {append(slices.Clone(vectors), vectors[0]), fmt.Sprintf("there are two vectors %q", vectors[0].Name)},
	} {
		if problems := compareSums(test.vectors, sums); !slices.Contains(problems, test.want) {
			t.Errorf("%s: got %q, want %q", name, problems, test.want)
		}
	}
	for _, changed := range corrupt(t, vectors) {
		name, _, _ := strings.Cut(changed.Name, " with another ")
		want := fmt.Sprintf("vector %q has changed", name)
		i := slices.IndexFunc(vectors, func(v vector) bool { return v.Name == name })
		all := slices.Clone(vectors)
		all[i] = named(changed, name)
		if problems := compareSums(all, sums); !slices.Equal(problems, []string{want}) {
			t.Fatalf("%s: got %q, want %q", changed.Name, problems, want)
		}
	}
}
