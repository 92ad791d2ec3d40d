resource "stashbase_config" "this" {
  max_versions = 20
  max_secrets  = 2000
}
