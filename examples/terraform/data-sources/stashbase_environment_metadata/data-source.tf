data "stashbase_environment_metadata" "production" {
  workspace   = "acme"
  project     = "api"
  environment = "production"
}

# Fits the *_wo_version of any resource: it is written again whenever the secret is.
output "api_key_version" {
  value = data.stashbase_environment_metadata.production.secrets["API_KEY"].version
}
