package main

import (
	"os"
	"testing"
)

// Terraform discards the framework's log unless the user asks for it, so it is off by default.
func TestTheLogOfTheFrameworkIsOffUnlessAskedFor(t *testing.T) {
	for _, c := range []struct {
		name, variable string
		off            bool
	}{
		{"no variable", "PATH=/bin", true},
		{"the log of Terraform itself", "TF_LOG_CORE=TRACE", true},
		{"a path alone", "TF_LOG_PATH=trace.log", true},
		{"an empty variable", "TF_LOG=", true},
		{"no logs", "TF_LOG=off", true},
		{"all logs", "TF_LOG=TRACE", false},
		{"the log of providers", "TF_LOG_PROVIDER=DEBUG", false},
		{"the log of this provider", "TF_LOG_PROVIDER_STASHBASE=DEBUG", false},
		{"the log of the framework", "TF_LOG_SDK=INFO", false},
		{"a part of the framework's log", "TF_LOG_SDK_PROTO=TRACE", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(frameworkLog, "")
			if err := quiet([]string{"HOME=/home/ada", c.variable}); err != nil {
				t.Fatal(err)
			}
			if off := os.Getenv(frameworkLog) == "OFF"; off != c.off {
				t.Errorf("the log is off: %t, want %t", off, c.off)
			}
		})
	}
}
