# reader: reads the secrets of one environment, their versions and history.
#
# workspace    acme
# project      api
# environment  dev
#
# Written by: vault read -field=policy stashbase/policies/reader workspace=acme project=api environment=dev

# The names of secrets.
path "stashbase/secrets/acme/api/dev/" {
  capabilities = ["list"]
}

# Each secret.
path "stashbase/secrets/acme/api/dev/+" {
  capabilities = ["read"]
}

# What is known of all secrets, without values.
path "stashbase/metadata/acme/api/dev" {
  capabilities = ["read"]
}

# The history of each secret.
path "stashbase/metadata/acme/api/dev/+" {
  capabilities = ["read"]
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
