# key-custodian: looks after the keys of one workspace; sees no secret.
#
# workspace    acme
#
# Written by: vault read -field=policy stashbase/policies/key-custodian workspace=acme

# The versions of the key and how far rewrapping is.
path "stashbase/keys/acme" {
  capabilities = ["read"]
}

# A new version of the key.
path "stashbase/keys/acme/rotate" {
  capabilities = ["update"]
}

# Stored data over to the newest version.
path "stashbase/keys/acme/rewrap" {
  capabilities = ["update"]
}
