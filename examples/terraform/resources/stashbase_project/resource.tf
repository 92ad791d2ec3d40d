resource "stashbase_project" "web" {
  workspace   = "acme"
  name        = "web"
  description = "the shop window"
}
