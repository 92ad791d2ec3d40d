//go:build race

package vaulttest

// raceDetector is whether the test was built with -race; the plugin is then built with it too.
const raceDetector = true
