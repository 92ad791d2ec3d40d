data "stashbase_sync_status" "team" {
  workspace    = "acme"
  project      = "api"
  environment  = "production"
  destination  = "vault-kv"
  name         = "team"
  wait_seconds = 30
}

check "secrets_have_arrived" {
  assert {
    condition     = data.stashbase_sync_status.team.state == "SYNCED"
    error_message = data.stashbase_sync_status.team.hint
  }
}
