variable "github_token" {
  type      = string
  sensitive = true
  ephemeral = true
}

resource "stashbase_integration_github" "acme" {
  workspace            = "acme"
  name                 = "acme"
  token_wo             = var.github_token
  token_wo_version     = 1
  allowed_environments = ["api/production"]
  allowed_targets      = ["acme/api/environments/*"]
}

# Secrets of an environment of a repository; without github_environment, of the repository itself.
resource "stashbase_sync_github_actions" "production" {
  workspace          = "acme"
  project            = "api"
  environment        = "production"
  name               = "production"
  integration        = stashbase_integration_github.acme.name
  owner              = "acme"
  repository         = "api"
  github_environment = "production"
  include            = ["API_*"]
}
