package workspaces

import (
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// FuzzBasePath checks that an accepted base consists of two names and a slash, and that BasePath
// returns it unchanged when it is passed again.
func FuzzBasePath(f *testing.F) {
	for _, base := range []string{"", "dev", "api/dev", "/", "api/", "/dev", "a/b/c", "API/dev", "..", "a/.."} {
		f.Add(base)
	}
	f.Fuzz(func(t *testing.T, base string) {
		full, err := BasePath("project", base)
		if err != nil {
			if full != "" {
				t.Fatalf("%q is rejected but returned as %q", base, full)
			}
			return
		}
		if again, err := BasePath("other", full); err != nil || again != full {
			t.Fatalf("%q becomes %q, and that %q: %v", base, full, again, err)
		}
		if project, environment, ok := strings.Cut(full, "/"); base != "" && (!ok || naming.Check("", project) != nil || naming.Check("", environment) != nil) {
			t.Fatalf("%q becomes %q", base, full)
		}
	})
}

// FuzzSharedWith checks that an accepted pattern admits only environments whose whole path it
// matches.
func FuzzSharedWith(f *testing.F) {
	for _, glob := range []string{"", "*", "*/*", "api/*", "api/dev", "a[/]b", "[", "api/[", `a\/b`, "*/", "/"} {
		f.Add(glob, "api", "dev")
	}
	f.Fuzz(func(t *testing.T, glob, project, environment string) {
		if naming.Check("", project) != nil || naming.Check("", environment) != nil || checkPatterns([]string{glob}) != nil {
			return
		}
		target := &store.Environment{ID: "target", SharedWith: []string{glob}}
		may := mayUse(target, &store.Environment{ID: "source"}, project, environment)
		exact := !strings.ContainsAny(glob, `*?[\`)
		if exact && may != (glob == project+"/"+environment) {
			t.Fatalf("%q lets %s/%s in: %v", glob, project, environment, may)
		}
	})
}
