import {
  to = stashbase_sync_vault_kv.platform
  id = "acme/api/production/platform"
}
