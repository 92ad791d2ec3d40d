package document

import (
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// Documents that cost a parser much time or memory must be refused quickly. The slowest took 2 s on
// a busy machine. The limits detect work that grows with the square of the content, which would
// take minutes.
func TestHostileDocumentsAreRefusedInTime(t *testing.T) {
	const most = 600 << 20 // bytes allocated, including collected ones; up to 160 MB were measured
	laughs := "a: &a x\n"
	for c := 'b'; c < 'z'; c++ {
		laughs += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 9) + "]\n"
	}
	for _, tc := range []struct {
		name    string
		format  string
		content string
		kind    fault.Kind
	}{
		{"billion laughs", YAML, laughs, fault.Invalid},
		{"deep flow", YAML, "A: " + strings.Repeat("[", 1<<20), fault.Limit},
		{"deep flow below the limit", YAML, "A: " + strings.Repeat("[", maxMarks-1), fault.Invalid},
		{"deep blocks", YAML, strings.Repeat("- ", maxMarks-1), fault.Invalid},
		{"nodes of one byte", YAML, "{" + strings.Repeat("a,", maxMarks-2) + "}", fault.Invalid},
		{"as large as may be, of marks", YAML, "{" + strings.Repeat("a,", MaxBytes/2-1) + "}", fault.Limit},
		{"comments", YAML, "[" + strings.Repeat("a,#\n", maxMarks/2-1) + "]", fault.Invalid},
		{"handles", YAML, strings.Repeat("%TAG !a! b\n", 1<<18) + "---\na: b", fault.Invalid},
		{"one long name", YAML, strings.Repeat("a", 4<<20) + ": b", fault.Invalid},
		{"one long number", YAML, "A: 1." + strings.Repeat("7", 4<<20) + "\nA: x", fault.Invalid},
		{"deep JSON", JSON, `{"A":` + strings.Repeat("[", 4<<20), fault.Invalid},
		{"JSON of white space", JSON, "{" + strings.Repeat("\n", 4<<20), fault.Invalid},
		{"JSON of escapes", JSON, `{"A":"` + strings.Repeat(`\ud83d\udd11`, 1<<18) + `",}`, fault.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			values, err := Parse(tc.format, tc.content)
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			if values != nil || !fault.Is(err, tc.kind) || !saidOfContent.MatchString(err.Error()) {
				t.Errorf("got %d values, %v", len(values), err)
			}
			if took > 30*time.Second {
				t.Errorf("took %v", took)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > most {
				t.Errorf("allocated %d MB", used>>20)
			}
			t.Logf("%v, %d MB: %v", took.Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>20, err)
		})
	}
}

func TestMarksOfYAMLAreBounded(t *testing.T) {
	if values, err := Parse(YAML, "A: |"+strings.Repeat("\n x", maxMarks-1)); err != nil || len(values["A"]) != 2*(maxMarks-1)-1 {
		t.Errorf("the largest number: %v", err)
	}
	values, err := Parse(YAML, "A: |"+strings.Repeat("\n x", maxMarks))
	const want = "limit: content: more than 262144 line ends, commas, brackets and other YAML marks; use json"
	if values != nil || err == nil || err.Error() != want {
		t.Errorf("one more: got %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { panic("zQ7xK9wJ") }

var _ io.Reader = broken{}

// A panic would end every mount of the plugin and write its text to the server's log.
func TestAPanicOfTheYAMLParserIsAnError(t *testing.T) {
	if _, err := decodeYAML(yaml.NewDecoder(broken{})); err == nil || err.Error() != "the YAML parser failed" {
		t.Errorf("got %v", err)
	}
}
