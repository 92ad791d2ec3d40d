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

  # What it does not have itself, it has from here.
  base = stashbase_environment.shared.name
}
