resource "stashbase_workspace" "payments" {
  name         = "payments"
  description  = "the payments team"
  max_versions = 20
  metadata     = { owner = "payments" }

  # Apply this before you destroy the workspace. Its content is lost together with its keys.
  # deletion_allowed = true
}
