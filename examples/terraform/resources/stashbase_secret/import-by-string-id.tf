import {
  to = stashbase_secret.database_password
  id = "acme/api/production/DATABASE_PASSWORD"
}
