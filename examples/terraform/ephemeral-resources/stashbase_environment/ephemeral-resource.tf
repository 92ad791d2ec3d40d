ephemeral "stashbase_environment" "production" {
  workspace   = "acme"
  project     = "api"
  environment = "production"
  include     = ["API_*"]
}

# The values can be used in write-only attributes and in the configuration of a provider.
resource "stashbase_secret" "copy" {
  workspace        = "acme"
  project          = "api"
  environment      = "copy"
  name             = "API_KEY"
  value_wo         = ephemeral.stashbase_environment.production.values["API_KEY"]
  value_wo_version = 1
}
