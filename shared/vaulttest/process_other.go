//go:build !linux

package vaulttest

import "syscall"

// dieWithParent has no counterpart here: a test process that dies on a timeout leaves its Vault behind.
func dieWithParent() *syscall.SysProcAttr { return nil }
