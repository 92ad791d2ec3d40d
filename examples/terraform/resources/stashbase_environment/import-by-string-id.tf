import {
  to = stashbase_environment.staging
  id = "acme/api/staging"
}
