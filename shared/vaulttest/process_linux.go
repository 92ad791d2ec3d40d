package vaulttest

import "syscall"

// dieWithParent ends Vault when a test process dies without its cleanups, as it does on a timeout.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
