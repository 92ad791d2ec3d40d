data "stashbase_sync_status" "platform" {
  workspace    = "acme"
  project      = "api"
  environment  = "production"
  destination  = "vault-kv"
  name         = "platform"
  wait_seconds = 30
}

check "secrets_have_arrived" {
  assert {
    condition     = data.stashbase_sync_status.platform.state == "SYNCED"
    error_message = data.stashbase_sync_status.platform.hint
  }
}
