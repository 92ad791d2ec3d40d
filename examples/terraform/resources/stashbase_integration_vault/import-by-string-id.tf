import {
  to = stashbase_integration_vault.platform
  id = "acme/platform"
}
