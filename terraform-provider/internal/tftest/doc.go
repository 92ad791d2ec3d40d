// Package tftest runs the provider under OpenTofu and Terraform for tests. Commands run in their
// own folder, with the provider's binary, against a Vault of package vaulttest. The package knows
// no resource.
//
// Each test runs with bin/tofu of the checkout, which `make terraform` builds, or with
// $TOFU_BINARY. It runs again with the terraform on PATH, if there is one, or with
// $TERRAFORM_BINARY. Without a tofu, a test is skipped with a message, or fails if CI=true.
//
// The provider is $STASHBASE_PROVIDER_BINARY, or is built once per test process. Under the
// terraform, it is $STASHBASE_PLAIN_PROVIDER_BINARY if that is set.
package tftest
