import {
  to = stashbase_environment.staging
  identity = {
    workspace = "acme"
    project   = "api"
    name      = "staging"
  }
}
