ephemeral "stashbase_environment" "production" {
  workspace   = "acme"
  project     = "api"
  environment = "production"
  include     = ["API_*"]
}

# Into the write-only attribute of any resource, or the configuration of a provider.
resource "stashbase_secret" "copy" {
  workspace        = "acme"
  project          = "api"
  environment      = "copy"
  name             = "API_KEY"
  value_wo         = ephemeral.stashbase_environment.production.values["API_KEY"]
  value_wo_version = 1
}
