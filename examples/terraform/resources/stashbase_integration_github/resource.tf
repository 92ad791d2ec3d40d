variable "github_token" {
  type      = string
  sensitive = true
  ephemeral = true
}

resource "stashbase_integration_github" "acme" {
  workspace        = "acme"
  name             = "acme"
  token_wo         = var.github_token
  token_wo_version = 1

  # Where the token may be used. Without these two attributes, it may not be used at all.
  allowed_environments = ["api/*"]
  allowed_targets      = ["acme/api", "acme/api/environments/*"]
}
