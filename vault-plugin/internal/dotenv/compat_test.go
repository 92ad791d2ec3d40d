package dotenv

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/joho/godotenv"
)

// common holds text that godotenv and Node read as this package does, so that existing files keep
// their meaning.
var common = []struct {
	name    string
	content string
}{
	{"plain values", "A=1\nB=two words\nC=\n"},
	{"comments and blank lines", "# first\n\nA=1\n# second\nB=2"},
	{"spaces around", "  A = 1  \nB= 2\n"},
	{"export", "export A=1\nexport B='2'\n"},
	{"an inline comment", "A=1 # one\nB=\"2\" # two\nC='3' # three"},
	{"a number sign in quotes", "A=\"1 # one\"\nB='2 # two'"},
	{"single quotes", "A=' a b '\nB='a\"b'\nC=''"},
	{"double quotes", "A=\" a b \"\nB=\"a'b\"\nC=\"\""},
	{"an escaped line end in double quotes", `A="a\nb"`},
	{"no escape in single quotes", `A='a\nb'`},
	{"several lines", "A=\"-----BEGIN KEY-----\nabc\n-----END KEY-----\"\nB='x\ny'\nC=1"},
	{"CRLF", "A=1\r\nB=\"x\r\ny\"\r\n\r\nC='3'\r\n"},
	{"equal signs in a value", "A=a=b==\nB=postgres://u:p@h:5432/d?sslmode=require&x=1"},
	{"JSON in single quotes", `A='{"a": {"b": [1, "c"]}}'`},
	{"quotes inside an unquoted value", `A=a"b"c` + "\nB=it's"},
	{"a backslash in an unquoted value", `A=C:\new\table`},
	{"letters of the world", "A=Grüße\nB='日本'\nC=\"🔑\""},
}

// godotenvOnly holds text that Node 20 reads differently. Node treats an indented comment as part
// of the next name, and a tab as part of the value.
var godotenvOnly = []struct {
	name    string
	content string
}{
	{"an indented comment", "A=1\n  # second\nB=2"},
	{"tabs around", "A\t=\t1\t\n"},
}

func ours(t *testing.T, content string) map[string]string {
	t.Helper()
	pairs, err := Parse(content)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, pair := range pairs {
		values[pair.Name] = pair.Value
	}
	return values
}

func TestCommonFilesReadAsInGodotenv(t *testing.T) {
	for _, tc := range slices.Concat(common, godotenvOnly) {
		t.Run(tc.name, func(t *testing.T) {
			theirs, err := godotenv.Unmarshal(tc.content)
			if err != nil {
				t.Fatal(err)
			}
			if got := ours(t, tc.content); !maps.Equal(got, theirs) {
				t.Errorf("\n   ours %q\n theirs %q", got, theirs)
			}
		})
	}
}

func TestCommonFilesReadAsInNode(t *testing.T) {
	const script = `
		const { parseEnv } = require("node:util");
		const contents = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
		console.log(JSON.stringify(contents.map((content) => parseEnv(content))));`
	if err := exec.Command("node", "-e", `process.exit(require("node:util").parseEnv ? 0 : 1)`).Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI needs Node 20.12 or newer: %v", err)
		}
		t.Skipf("NOT COMPARED WITH NODE: it needs Node 20.12 or newer on the path: %v", err)
	}
	var contents []string
	for _, tc := range common {
		contents = append(contents, tc.content)
	}
	input, err := json.Marshal(contents)
	if err != nil {
		t.Fatal(err)
	}
	node := exec.Command("node", "-e", script)
	node.Stdin = strings.NewReader(string(input))
	output, err := node.Output()
	if err != nil {
		t.Fatal(err)
	}
	var theirs []map[string]string
	if err := json.Unmarshal(output, &theirs); err != nil || len(theirs) != len(common) {
		t.Fatalf("got %q, %v", output, err)
	}
	for i, tc := range common {
		t.Run(tc.name, func(t *testing.T) {
			if got := ours(t, tc.content); !maps.Equal(got, theirs[i]) {
				t.Errorf("\n   ours %q\n theirs %q", got, theirs[i])
			}
		})
	}
}

// The package exists because of these differences: godotenv expands `$`, and shows text of the
// content in its errors.
func TestGodotenvStillChangesValuesAndShowsThem(t *testing.T) {
	theirs, err := godotenv.Unmarshal("A=pa$$WORD\nB=\"C:\\dir\"")
	if err != nil || theirs["A"] == "pa$$WORD" || theirs["B"] == `C:\dir` {
		t.Errorf("got %q, %v: the reason in the package comment may no longer hold", theirs, err)
	}
	if _, err := godotenv.Unmarshal("A='hunter2"); err == nil || !strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v: the reason in the package comment may no longer hold", err)
	}
}
