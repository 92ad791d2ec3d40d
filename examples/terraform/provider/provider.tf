terraform {
  required_providers {
    stashbase = {
      source = "stashbase/stashbase"
    }
  }
}

# Address and token come from VAULT_ADDR and VAULT_TOKEN, or from what `vault login` has left.
provider "stashbase" {
  mount = "stashbase"

  # Or the provider logs in by itself, and ends the login with the run. The token of
  # this one is in TERRAFORM_VAULT_AUTH_JWT, or is HCP Terraform's own.
  # auth_login_jwt {
  #   role = "terraform"
  # }
}
