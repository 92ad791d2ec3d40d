variable "database_password" {
  type      = string
  sensitive = true
  ephemeral = true
}

# Neither the state nor a plan contains the value. Change value_wo_version to send it again.
resource "stashbase_secret" "database_password" {
  workspace        = "acme"
  project          = "api"
  environment      = "production"
  name             = "DATABASE_PASSWORD"
  value_wo         = var.database_password
  value_wo_version = 1
  tags             = ["database"]
}

# This value is stored in the state. Its reference is resolved when the secret is delivered.
resource "stashbase_secret" "database_url" {
  workspace   = "acme"
  project     = "api"
  environment = "production"
  name        = "DATABASE_URL"
  value       = "postgres://api:$${${stashbase_secret.database_password.name}}@db.acme.example/api"
  references  = true
}

# The value of this secret is set elsewhere.
resource "stashbase_secret" "license" {
  workspace   = "acme"
  project     = "api"
  environment = "production"
  name        = "LICENSE"
  tags        = ["set-by-hand"]
}
