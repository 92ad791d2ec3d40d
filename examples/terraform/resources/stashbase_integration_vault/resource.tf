variable "target_token" {
  type      = string
  sensitive = true
  ephemeral = true
}

resource "stashbase_integration_vault" "platform" {
  workspace = "acme"
  name      = "platform"
  address   = "https://vault.acme.example:8200"

  # Another token_wo_version, or another address, supplies the token again.
  token_wo         = var.target_token
  token_wo_version = 1

  # What the token may be used for; nothing when left out.
  allowed_environments = ["api/production"]
  allowed_targets      = ["secret/api/*"]
}
