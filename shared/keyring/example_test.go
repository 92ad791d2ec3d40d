package keyring_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/stashbase/vault-stashbase/shared/keyring"
)

func Example() {
	if err := example(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// opened: postgres://db
	// elsewhere: keyring: cannot be opened
	// printed: [ciphertext of 97 bytes, key version 1]
}

func example() error {
	// This happens once for a mount and once for a workspace. The result of master.Encode and entry
	// are stored.
	master, err := keyring.NewMaster(time.Now())
	if err != nil {
		return err
	}
	defer master.Wipe()
	acme := keyring.WorkspaceScope{Name: "acme", ID: keyring.NewID()}
	minted, err := master.NewWorkspace(acme, time.Now())
	if err != nil {
		return err
	}
	defer minted.Wipe()
	entry, err := master.Wrap(minted)
	if err != nil {
		return err
	}

	// Later, the workspace is read from storage.
	workspace, err := master.Unwrap(acme, entry)
	if err != nil {
		return err
	}
	defer workspace.Wipe()
	production := keyring.EnvironmentScope{Project: "shop", Environment: "production", ID: keyring.NewID()}
	secrets, err := workspace.Secrets(production)
	if err != nil {
		return err
	}
	defer secrets.Wipe()
	at := keyring.SecretLocation{Name: "DATABASE_URL", Version: 1}
	sealed, err := secrets.Seal(at, []byte("postgres://db"))
	if err != nil {
		return err
	}
	stored, err := keyring.ParseCiphertext[keyring.SecretLocation](sealed.Bytes())
	if err != nil {
		return err
	}
	plaintext, err := secrets.Open(at, stored)
	if err != nil {
		return err
	}
	fmt.Printf("opened: %s\n", plaintext)
	_, err = secrets.Open(keyring.SecretLocation{Name: "DATABASE_URL", Version: 2}, stored)
	if !errors.Is(err, keyring.ErrOpen) {
		return err
	}
	fmt.Println("elsewhere:", err)
	fmt.Println("printed:", stored)
	return nil
}

func ExampleWorkspace_Rotate() {
	if err := exampleRotate(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// moved from key version 1 to 2
	// live: 1
}

func exampleRotate() error {
	master, err := keyring.NewMaster(time.Now())
	if err != nil {
		return err
	}
	first, err := master.NewWorkspace(keyring.WorkspaceScope{Name: "acme", ID: keyring.NewID()}, time.Now())
	if err != nil {
		return err
	}
	orders, err := first.Application("orders")
	if err != nil {
		return err
	}
	at := keyring.ApplicationLocation{AssociatedData: []byte("order 17")}
	old, err := orders.Seal(at, []byte("card"))
	if err != nil {
		return err
	}

	rotated, err := first.Rotate(time.Now())
	if err != nil {
		return err
	}
	if orders, err = rotated.Application("orders"); err != nil {
		return err
	}
	moved, err := orders.Rewrap(at, old)
	if err != nil {
		return err
	}
	fmt.Println("moved from key version", old.KeyVersion(), "to", moved.KeyVersion())

	raised, err := rotated.SetMinDecryption(2)
	if err != nil {
		return err
	}
	trimmed, err := raised.Trim()
	if err != nil {
		return err
	}
	fmt.Println("live:", len(trimmed.Versions()))
	return nil
}
