terraform {
  required_providers {
    stashbase = {
      source = "stashbase/stashbase"
    }
  }
}

# Address and token come from VAULT_ADDR and VAULT_TOKEN. Without VAULT_TOKEN, the provider uses
# the token that `vault login` stored.
provider "stashbase" {
  mount = "stashbase"

  # Alternatively, the provider logs in itself and revokes its token at the end of the run. The
  # JSON web token comes from TERRAFORM_VAULT_AUTH_JWT or from HCP Terraform.
  # auth_login_jwt {
  #   role = "terraform"
  # }
}
