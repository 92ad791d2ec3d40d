package examples_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

func sideBySide(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("from-kv-v2", "side-by-side.sh"))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestKVUsersFindTheSameOutcomes(t *testing.T) {
	s := newSession(t, vaulttest.Options{})
	out, err := s.execute(t, sideBySide(t))
	if err != nil || !strings.Contains(out, "38 of 38 steps had the same outcome") {
		t.Fatalf("the script ends with %v:\n%s", err, out)
	}
	for _, shown := range []string{"refused", "          one\n", "          8\n", `"API_KEY": "one"`, "map[owner:payments]"} {
		if !strings.Contains(out, shown) {
			t.Errorf("no step shows %q", shown)
		}
	}
	if left, err := s.execute(t, "vault secrets list"); err != nil || strings.Contains(left, "side-by-side") {
		t.Errorf("the script does not disable its mounts (%v):\n%s", err, left)
	}
}

// The script must notice a difference.
func TestADifferentOutcomeIsNoticed(t *testing.T) {
	s := newSession(t, vaulttest.Options{})
	text, err := os.ReadFile(sideBySide(t))
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "changed.sh", strings.Replace(string(text), "secrets/$SECRET value=one'", "secrets/$SECRET value=other'", 1))
	out, err := s.execute(t, "bash ./changed.sh")
	if err == nil || !strings.Contains(out, "DIFFERENT") {
		t.Errorf("the script does not notice another value: %v\n%s", err, out)
	}
}
