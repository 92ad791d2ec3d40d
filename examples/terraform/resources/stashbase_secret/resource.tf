variable "database_password" {
  type      = string
  sensitive = true
  ephemeral = true
}

# The value stands neither in the state nor in a plan. Another value_wo_version sends it again.
resource "stashbase_secret" "database_password" {
  workspace        = "acme"
  project          = "api"
  environment      = "production"
  name             = "DATABASE_PASSWORD"
  value_wo         = var.database_password
  value_wo_version = 1
  tags             = ["database"]
}

# What is no secret to those who read the state. It is put together when it is delivered.
resource "stashbase_secret" "database_url" {
  workspace   = "acme"
  project     = "api"
  environment = "production"
  name        = "DATABASE_URL"
  value       = "postgres://api:$${${stashbase_secret.database_password.name}}@db.acme.example/api"
  references  = true
}

# One whose value somebody sets elsewhere.
resource "stashbase_secret" "license" {
  workspace   = "acme"
  project     = "api"
  environment = "production"
  name        = "LICENSE"
  tags        = ["set-by-hand"]
}
