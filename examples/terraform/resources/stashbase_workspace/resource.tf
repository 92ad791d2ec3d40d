resource "stashbase_workspace" "payments" {
  name         = "payments"
  description  = "the payments team"
  max_versions = 20
  metadata     = { owner = "payments" }

  # Apply this before the workspace is destroyed: everything in it goes with its keys.
  # deletion_allowed = true
}
