import {
  to = stashbase_integration_github.acme
  id = "acme/acme"
}
