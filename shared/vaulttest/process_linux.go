package vaulttest

import "syscall"

// dieWithParent makes Linux end Vault when the test process dies without its cleanups, for example
// on a timeout.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
