// Package crashtest tests what must survive: a process that dies at any storage call, and storage
// that fails and recovers. It also tests records that were swapped or cut, and compares long random
// runs with a plain model. It drives the engine through its paths. It reads storage directly only
// to check what a crash has left.
package crashtest
