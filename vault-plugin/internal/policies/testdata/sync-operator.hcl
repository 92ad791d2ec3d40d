# sync-operator: looks after the syncs of one or all environments of a project: which secrets go where, through which integration; sees no secret.
#
# workspace    acme
# project      api
# environment  dev
#
# Written by: vault read -field=policy stashbase/policies/sync-operator workspace=acme project=api environment=dev

# The syncs.
path "stashbase/syncs/acme/api/dev/" {
  capabilities = ["list"]
}

# Each sync.
path "stashbase/syncs/acme/api/dev/+/+" {
  capabilities = ["create", "read", "update", "patch", "delete"]
}

# What a run would do, of the sync as it is or as it might be, without values.
path "stashbase/syncs/acme/api/dev/+/+/plan" {
  capabilities = ["read", "update"]
}

# Running it now.
path "stashbase/syncs/acme/api/dev/+/+/run" {
  capabilities = ["update"]
}

# How it stands, without values.
path "stashbase/syncs/acme/api/dev/+/+/status" {
  capabilities = ["read"]
}

# Taking over what others have written at the destination.
path "stashbase/syncs/acme/api/dev/+/+/adopt" {
  capabilities = ["update"]
}

# Pausing it.
path "stashbase/syncs/acme/api/dev/+/+/pause" {
  capabilities = ["update"]
}

# Having it go on.
path "stashbase/syncs/acme/api/dev/+/+/resume" {
  capabilities = ["update"]
}
