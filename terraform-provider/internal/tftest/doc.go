// Package tftest runs the provider under a real OpenTofu and a real Terraform for tests: commands of theirs in a folder of its own,
// with the provider's binary, against a Vault of package vaulttest. It knows no resource.
//
// Each test runs with bin/tofu of the checkout, as `make terraform` leaves it ($TOFU_BINARY names another), and again with the
// terraform on PATH when there is one ($TERRAFORM_BINARY names another). Without a tofu a test is skipped, loudly, or fails when
// CI=true.
//
// The provider is built once per test process, or is $STASHBASE_PROVIDER_BINARY.
package tftest
