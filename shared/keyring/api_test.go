package keyring

import (
	"bytes"
	"crypto/fips140"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/api.txt")

// A golden file lists the exported surface, so that a new export is visible in a diff.
func TestExportedSurface(t *testing.T) {
	const limit = 40 // entries
	file := filepath.Join("testdata", "api.txt")
	got, err := exec.Command("go", "doc", "-short", ".").Output()
	if err != nil {
		t.Fatalf("go doc: %v", err)
	}
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := must(os.ReadFile(file))(t); !bytes.Equal(got, want) {
		t.Errorf("the exported surface has changed; if that is intended, run this test with -update\ngot:\n%s\nwant:\n%s", got, want)
	}
	if n := bytes.Count(got, []byte("\n")); n > limit {
		t.Errorf("%d entries; the limit is %d", n, limit)
	}
}

// enforced is the environment variable that marks the process started by TestUnderFIPSEnforcement.
const enforced = "KEYRING_TEST_FIPS_ENFORCED"

// The core tests run again in a process in which Go rejects every algorithm that is not approved.
func TestUnderFIPSEnforcement(t *testing.T) {
	const tests = "TestFIPSIsEnforced|TestExpand|TestTuple|TestKnownAnswers$|TestSealed|TestEvery(Bit|Pair)|TestCommitment|TestCiphertext|" +
		"TestDigest|TestText|TestMinimum|TestRewrap|TestMaster|TestKey|TestWipe|TestModel|Fuzz"
	cmd := exec.Command(os.Args[0], "-test.v", "-test.run", "^("+tests+")")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only", enforced+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	passed := strings.Count(string(out), "\n--- PASS")
	if passed < 20 || strings.Contains(string(out), "--- SKIP") {
		t.Errorf("only %d tests passed, or some were skipped:\n%s", passed, out)
	}
}

func TestFIPSIsEnforced(t *testing.T) {
	if os.Getenv(enforced) == "" {
		t.Skip("runs only in the process that TestUnderFIPSEnforcement starts")
	}
	if !fips140.Enabled() || !fips140.Enforced() {
		t.Error("FIPS 140 is not enforced")
	}
}
