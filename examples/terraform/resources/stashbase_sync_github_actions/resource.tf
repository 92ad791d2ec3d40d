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

# Syncs to an environment of the repository. Without github_environment, it syncs to the repository.
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
