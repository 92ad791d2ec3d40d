import {
  to = stashbase_sync_github_actions.production
  id = "acme/api/production/production"
}
