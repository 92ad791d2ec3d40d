variable "target_token" {
  type      = string
  sensitive = true
  ephemeral = true
}

resource "stashbase_integration_vault" "platform" {
  workspace            = "acme"
  name                 = "platform"
  address              = "https://vault.acme.example:8200"
  token_wo             = var.target_token
  token_wo_version     = 1
  allowed_environments = ["api/production"]
  allowed_targets      = ["secret/api/*"]
}

# Writes each secret of the environment to the field `value` of secret/api/production/<NAME>.
resource "stashbase_sync_vault_kv" "platform" {
  workspace   = "acme"
  project     = "api"
  environment = "production"
  name        = "platform"
  integration = stashbase_integration_vault.platform.name
  mount       = "secret"
  path        = "api/production"
  exclude     = ["INTERNAL_*"]
}
