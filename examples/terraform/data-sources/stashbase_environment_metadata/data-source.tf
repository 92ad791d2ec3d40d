data "stashbase_environment_metadata" "production" {
  workspace   = "acme"
  project     = "api"
  environment = "production"
}

# Use it as the *_wo_version of any resource, to update that resource whenever the secret changes.
output "api_key_version" {
  value = data.stashbase_environment_metadata.production.secrets["API_KEY"].version
}
