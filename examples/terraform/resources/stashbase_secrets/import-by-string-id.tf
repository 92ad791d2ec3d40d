import {
  to = stashbase_secrets.mail
  id = "acme/api/production"
}
