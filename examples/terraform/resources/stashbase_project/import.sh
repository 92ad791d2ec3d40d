terraform import stashbase_project.web acme/web
