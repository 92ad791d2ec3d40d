# developer: reads and writes the secrets of one or all environments of a project; changes no environment, removes no history.
#
# workspace    acme
# project      api
# environment  dev
#
# Written by: vault read -field=policy stashbase/policies/developer workspace=acme project=api environment=dev

# The project.
path "stashbase/projects/acme/api" {
  capabilities = ["read"]
}

# The names of its environments.
path "stashbase/environments/acme/api/" {
  capabilities = ["list"]
}

# The environment: changing it is the workspace admin's.
path "stashbase/environments/acme/api/dev" {
  capabilities = ["read"]
}

# The names of secrets.
path "stashbase/secrets/acme/api/dev/" {
  capabilities = ["list"]
}

# Each secret; delete hides the newest version, older ones stay readable.
path "stashbase/secrets/acme/api/dev/+" {
  capabilities = ["create", "read", "update", "patch", "delete"]
}

# What is known of all secrets, without values.
path "stashbase/metadata/acme/api/dev" {
  capabilities = ["read"]
}

# The history and settings of each secret; removing them is the workspace admin's.
path "stashbase/metadata/acme/api/dev/+" {
  capabilities = ["create", "read", "update", "patch"]
}

# Deleted versions of a secret back; destroying them is the workspace admin's.
path "stashbase/undelete/acme/api/dev/+" {
  capabilities = ["update"]
}

# An old version of a secret as the newest.
path "stashbase/rollback/acme/api/dev/+" {
  capabilities = ["update"]
}

# Many secrets at once.
path "stashbase/import/acme/api/dev" {
  capabilities = ["update"]
}

# All values of the environment.
path "stashbase/load/acme/api/dev" {
  capabilities = ["read"]
}

# The same as one document.
path "stashbase/render/acme/api/dev" {
  capabilities = ["read"]
}

# What was changed in the environment, without values.
path "stashbase/changes/acme/api/dev" {
  capabilities = ["read"]
}

# The environment back to a change.
path "stashbase/revert/acme/api/dev" {
  capabilities = ["update"]
}
