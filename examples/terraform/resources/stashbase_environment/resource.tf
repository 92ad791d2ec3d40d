resource "stashbase_environment" "shared" {
  workspace   = "acme"
  project     = "api"
  name        = "shared"
  shared_with = ["api/*"]
}

resource "stashbase_environment" "staging" {
  workspace = "acme"
  project   = "api"
  name      = "staging"

  # Secrets that staging does not have itself are inherited from here.
  base = stashbase_environment.shared.name
}
