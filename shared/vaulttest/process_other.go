//go:build !linux

package vaulttest

import "syscall"

// dieWithParent does nothing on this system: a test process that dies on a timeout leaves its Vault
// running.
func dieWithParent() *syscall.SysProcAttr { return nil }
