import {
  to = stashbase_integration_github.acme
  identity = {
    workspace = "acme"
    name      = "acme"
  }
}
