import {
  to = stashbase_project.web
  identity = {
    workspace = "acme"
    name      = "web"
  }
}
