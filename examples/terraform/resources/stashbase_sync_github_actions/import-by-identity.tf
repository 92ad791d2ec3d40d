import {
  to = stashbase_sync_github_actions.production
  identity = {
    workspace   = "acme"
    project     = "api"
    environment = "production"
    name        = "production"
  }
}
