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
}
