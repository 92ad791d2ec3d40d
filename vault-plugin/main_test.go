package main

import "testing"

func TestTheReportedVersionHasALeadingV(t *testing.T) {
	linked := version
	t.Cleanup(func() { version = linked })
	for given, want := range map[string]string{"0.4.0": "v0.4.0", "v0.4.0": "v0.4.0", "1.0.0-rc1": "v1.0.0-rc1", linked: linked} {
		version = given
		if got := runningVersion(); got != want {
			t.Errorf("linked as %q, the plugin reports %q, want %q", given, got, want)
		}
	}
}
