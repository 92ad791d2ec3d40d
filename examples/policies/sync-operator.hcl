# sync-operator: looks after the syncs of one or all environments of a project: which secrets go where, through which integration; sees no secret.
#
# workspace    acme
# project      api
# environment  development
#
# Written by: vault read -field=policy stashbase/policies/sync-operator workspace=acme project=api environment=development

# The syncs.
path "stashbase/syncs/acme/api/development/" {
  capabilities = ["list"]
}

# Each sync.
path "stashbase/syncs/acme/api/development/+/+" {
  capabilities = ["create", "read", "update", "patch", "delete"]
}

# What a run would do, of the sync as it is or as it might be, without values.
path "stashbase/syncs/acme/api/development/+/+/plan" {
  capabilities = ["read", "update"]
}

# Running it now.
path "stashbase/syncs/acme/api/development/+/+/run" {
  capabilities = ["update"]
}

# How it stands, without values.
path "stashbase/syncs/acme/api/development/+/+/status" {
  capabilities = ["read"]
}

# Taking over what others have written at the destination.
path "stashbase/syncs/acme/api/development/+/+/adopt" {
  capabilities = ["update"]
}

# Pausing it.
path "stashbase/syncs/acme/api/development/+/+/pause" {
  capabilities = ["update"]
}

# Having it go on.
path "stashbase/syncs/acme/api/development/+/+/resume" {
  capabilities = ["update"]
}
