//go:build race

package vaulttest

// raceDetector is true if the test was built with -race. The plugin is then built with -race too.
const raceDetector = true
