import {
  to = stashbase_secrets.mail
  identity = {
    workspace   = "acme"
    project     = "api"
    environment = "production"
  }
}
