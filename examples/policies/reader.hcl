# reader: reads the secrets of one environment, their versions and history.
#
# workspace    acme
# project      api
# environment  development
#
# Written by: vault read -field=policy stashbase/policies/reader workspace=acme project=api environment=development

# The names of secrets.
path "stashbase/secrets/acme/api/development/" {
  capabilities = ["list"]
}

# Each secret.
path "stashbase/secrets/acme/api/development/+" {
  capabilities = ["read"]
}

# What is known of all secrets, without values.
path "stashbase/metadata/acme/api/development" {
  capabilities = ["read"]
}

# The history of each secret.
path "stashbase/metadata/acme/api/development/+" {
  capabilities = ["read"]
}

# All values of the environment.
path "stashbase/load/acme/api/development" {
  capabilities = ["read"]
}

# The same as one document.
path "stashbase/render/acme/api/development" {
  capabilities = ["read"]
}

# What was changed in the environment, without values.
path "stashbase/changes/acme/api/development" {
  capabilities = ["read"]
}
