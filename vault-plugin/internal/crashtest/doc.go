// Package crashtest holds the tests of what must survive: a process that dies at any storage call, storage that goes down and
// comes back, entries that somebody has swapped or cut, and long random runs held against a plain model. It drives the engine
// through its paths, and looks at storage only to tell what a crash has left there.
package crashtest
