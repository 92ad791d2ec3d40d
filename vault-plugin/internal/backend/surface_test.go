package backend_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

var capture = regexp.MustCompile(`\(\?P<(\w+)>\[\^/\]\+\)`)

// template returns a pattern with its names in braces, as the policies write them.
func template(p *framework.Path, op logical.Operation) string {
	path := strings.TrimSuffix(strings.Trim(p.Pattern, "^$"), "/?")
	path = capture.ReplaceAllString(path, "{$1}")
	switch {
	case path == "":
		return "{mount}"
	case op == logical.ListOperation:
		return strings.TrimSuffix(path, "/") + "/"
	}
	return path
}

// The tests of the policies hold each role against every request that the engine accepts. They read
// the requests from this file, because the engine imports the policies.
func TestTheSurfaceOfTheEngineThatPoliciesAreTestedAgainst(t *testing.T) {
	var lines []string
	for _, p := range enginetest.New(t).Backend.Paths {
		for op := range p.Operations {
			lines = append(lines, string(op)+" "+template(p, op))
		}
	}
	slices.Sort(lines)
	golden(t, filepath.Join("..", "..", "policies", "testdata", "surface.golden"), strings.Join(lines, "\n")+"\n")
}
