package keyring

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// verifiers are programs that share no code with this package or with one another.
var verifiers = []struct {
	name  string
	probe []string // succeeds if the verifier can run here
	run   []string // followed by the file of vectors
}{
	{
		"Python",
		[]string{"python3", "-c", "import cryptography.hazmat.primitives.kdf.hkdf"},
		[]string{"python3", filepath.Join("testdata", "kat", "verify.py")},
	},
	{
		"Node",
		[]string{"node", "--version"},
		[]string{"node", filepath.Join("testdata", "kat", "verify.mjs")},
	},
}

func TestKnownAnswersInOtherLanguages(t *testing.T) {
	vectors := readVectors(t)
	corrupted := corrupt(t, vectors)
	if len(corrupted) < 10*len(vectors) {
		t.Fatalf("only %d corrupted vectors", len(corrupted))
	}
	for _, verifier := range verifiers {
		t.Run(verifier.name, func(t *testing.T) {
			if out, err := exec.Command(verifier.probe[0], verifier.probe[1:]...).CombinedOutput(); err != nil {
				missing := fmt.Sprintf("THE VECTORS ARE NOT VERIFIED IN %s: %q fails: %v\n%s",
					strings.ToUpper(verifier.name), strings.Join(verifier.probe, " "), err, out)
				if os.Getenv("CI") == "true" {
					t.Fatal(missing)
				}
				t.Skip(missing)
			}
			results, err := verifyElsewhere(t, verifier.run, vectorFile)
			if err != nil {
				t.Errorf("exit: %v", err)
			}
			expect(t, results, vectors, "ok")

			file := filepath.Join(t.TempDir(), "corrupted.json")
			if err := os.WriteFile(file, must(json.Marshal(corrupted))(t), 0o600); err != nil {
				t.Fatal(err)
			}
			results, err = verifyElsewhere(t, verifier.run, file)
			if err == nil {
				t.Error("the verifier exits with 0 although vectors are corrupted")
			}
			expect(t, results, corrupted, "FAIL")
		})
	}
}

// verifyElsewhere returns the result of each vector by name: ok or FAIL.
func verifyElsewhere(t *testing.T, command []string, file string) (map[string]string, error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(command[0], append(command[1:], file)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if stderr.Len() > 0 {
		t.Errorf("%s", stderr.Bytes())
	}
	results := make(map[string]string)
	for lines := bufio.NewScanner(&stdout); lines.Scan(); {
		result, name, _ := strings.Cut(lines.Text(), " ")
		name, _, _ = strings.Cut(name, ": ")
		results[name] = result
	}
	return results, err
}

func expect(t *testing.T, results map[string]string, vectors []vector, want string) {
	t.Helper()
	if len(results) != len(vectors) {
		t.Errorf("%d results for %d vectors", len(results), len(vectors))
	}
	for _, v := range vectors {
		if results[v.Name] != want {
			t.Errorf("%s: got %q, want %q", v.Name, results[v.Name], want)
		}
	}
}

// corrupt returns copies of the vectors, each with one wrong field.
func corrupt(t *testing.T, vectors []vector) []vector {
	t.Helper()
	var corrupted []vector
	for _, v := range vectors {
		var fields map[string]any
		decode(t, v, &fields)
		for field, value := range fields {
			if field == "name" || field == "master_version" && v.Domain == labelEngineActivity {
				continue // no other field depends on it
			}
			changed := make(map[string]any, len(fields))
			for k, val := range fields {
				changed[k] = val
			}
			changed[field] = corruptValue(t, field, value)
			changed["name"] = v.Name + " with another " + field
			var c vector
			decode(t, changed, &c)
			corrupted = append(corrupted, c)
		}
	}
	return corrupted
}

func decode(t *testing.T, from, to any) {
	t.Helper()
	if err := json.Unmarshal(must(json.Marshal(from))(t), to); err != nil {
		t.Fatal(err)
	}
}

func corruptValue(t *testing.T, field string, value any) any {
	t.Helper()
	switch value := value.(type) {
	case float64:
		return value + 1
	case []any:
		last := len(value) - 1
		return append(append([]any{}, value[:last]...), corruptValue(t, field, value[last]))
	case string:
		switch {
		case field == "domain" && value == labelSecret:
			return labelApplication
		case field == "domain":
			return labelSecret
		case value == "":
			return "00"
		}
		// The last character of a hexadecimal number, a name or a text becomes a different one of
		// the same kind.
		digit, err := strconv.ParseUint(value[len(value)-1:], 16, 8)
		if err != nil {
			return value[:len(value)-1] + "0"
		}
		return value[:len(value)-1] + strconv.FormatUint(digit^1, 16)
	default:
		t.Fatalf("%s is a %T", field, value)
		return nil
	}
}
