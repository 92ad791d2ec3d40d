import {
  to = stashbase_sync_vault_kv.platform
  identity = {
    workspace   = "acme"
    project     = "api"
    environment = "production"
    name        = "platform"
  }
}
