import {
  to = stashbase_integration_vault.platform
  identity = {
    workspace = "acme"
    name      = "platform"
  }
}
