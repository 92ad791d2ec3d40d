variable "target_token" {
  type      = string
  sensitive = true
  ephemeral = true
}

resource "stashbase_integration_vault" "platform" {
  workspace = "acme"
  name      = "platform"
  address   = "https://vault.acme.example:8200"

  # Change token_wo_version or address to supply the token again.
  token_wo         = var.target_token
  token_wo_version = 1

  # Where the token may be used. Without these two attributes, it may not be used at all.
  allowed_environments = ["api/production"]
  allowed_targets      = ["secret/api/*"]
}
