import {
  to = stashbase_secret.database_password
  identity = {
    workspace   = "acme"
    project     = "api"
    environment = "production"
    name        = "DATABASE_PASSWORD"
  }
}
