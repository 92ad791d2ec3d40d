import {
  to = stashbase_project.web
  id = "acme/web"
}
