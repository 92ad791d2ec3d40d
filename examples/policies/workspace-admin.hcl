# workspace-admin: everything inside one workspace but what services encrypt with it; the workspace itself and its keys are only looked at.
#
# workspace    acme
#
# Written by: vault read -field=policy stashbase/policies/workspace-admin workspace=acme

# The workspace: creating, changing, locking and deleting it is the operator's.
path "stashbase/workspaces/acme" {
  capabilities = ["read"]
}

# The state of its keys: rotating and retiring them is the key custodian's.
path "stashbase/keys/acme" {
  capabilities = ["read"]
}

# Its projects.
path "stashbase/projects/acme/" {
  capabilities = ["list"]
}

# Each project.
path "stashbase/projects/acme/+" {
  capabilities = ["create", "read", "update", "patch", "delete"]
}

# Their environments.
path "stashbase/environments/acme/+/" {
  capabilities = ["list"]
}

# Each environment.
path "stashbase/environments/acme/+/+" {
  capabilities = ["create", "read", "update", "patch", "delete"]
}

# The names of secrets.
path "stashbase/secrets/acme/+/+/" {
  capabilities = ["list"]
}

# Each secret.
path "stashbase/secrets/acme/+/+/+" {
  capabilities = ["create", "read", "update", "patch", "delete"]
}

# What is known of all secrets of an environment, without values.
path "stashbase/metadata/acme/+/+" {
  capabilities = ["read"]
}

# The history of each secret; deleting it removes all versions.
path "stashbase/metadata/acme/+/+/+" {
  capabilities = ["create", "read", "update", "patch", "delete"]
}

# Deleted versions of a secret back.
path "stashbase/undelete/acme/+/+/+" {
  capabilities = ["update"]
}

# Versions of a secret gone for good.
path "stashbase/destroy/acme/+/+/+" {
  capabilities = ["update"]
}

# An old version of a secret as the newest.
path "stashbase/rollback/acme/+/+/+" {
  capabilities = ["update"]
}

# Many secrets at once.
path "stashbase/import/acme/+/+" {
  capabilities = ["update"]
}

# All values of an environment.
path "stashbase/load/acme/+/+" {
  capabilities = ["read"]
}

# The same as one document.
path "stashbase/render/acme/+/+" {
  capabilities = ["read"]
}

# Where two environments of a project differ, without values.
path "stashbase/compare/acme/+" {
  capabilities = ["read"]
}

# What was changed in an environment, without values.
path "stashbase/changes/acme/+/+" {
  capabilities = ["read"]
}

# An environment back to a change.
path "stashbase/revert/acme/+/+" {
  capabilities = ["update"]
}

# Its integrations with providers.
path "stashbase/integrations/acme/" {
  capabilities = ["list"]
}

# Those with one provider.
path "stashbase/integrations/acme/+/" {
  capabilities = ["list"]
}

# Each integration; its credential is never read.
path "stashbase/integrations/acme/+/+" {
  capabilities = ["create", "read", "update", "patch", "delete"]
}

# Asking a provider who a credential is.
path "stashbase/integrations/acme/+/+/verify" {
  capabilities = ["update"]
}

# How everything that goes out stands.
path "stashbase/status/acme" {
  capabilities = ["read"]
}

# Its syncs.
path "stashbase/syncs/acme/" {
  capabilities = ["list"]
}

# Those of an environment.
path "stashbase/syncs/acme/+/+/" {
  capabilities = ["list"]
}

# Each sync.
path "stashbase/syncs/acme/+/+/+/+" {
  capabilities = ["create", "read", "update", "patch", "delete"]
}

# What a run would do, of the sync as it is or as it might be, without values.
path "stashbase/syncs/acme/+/+/+/+/plan" {
  capabilities = ["read", "update"]
}

# Running it now.
path "stashbase/syncs/acme/+/+/+/+/run" {
  capabilities = ["update"]
}

# How it stands, without values.
path "stashbase/syncs/acme/+/+/+/+/status" {
  capabilities = ["read"]
}

# Taking over what others have written at the destination.
path "stashbase/syncs/acme/+/+/+/+/adopt" {
  capabilities = ["update"]
}

# Pausing it.
path "stashbase/syncs/acme/+/+/+/+/pause" {
  capabilities = ["update"]
}

# Having it go on.
path "stashbase/syncs/acme/+/+/+/+/resume" {
  capabilities = ["update"]
}

# The roles there are.
path "stashbase/policies/" {
  capabilities = ["list"]
}

# Policies to hand out.
path "stashbase/policies/+" {
  capabilities = ["read"]
}
