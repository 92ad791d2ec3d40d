# key-custodian: looks after the keys of one workspace; sees no secret.
#
# workspace    acme
#
# Written by: vault read -field=policy stashbase/policies/key-custodian workspace=acme

# The versions of the key, how far rewrapping is, the oldest version in use and how often a new one is made.
path "stashbase/keys/acme" {
  capabilities = ["read", "update"]
}

# A new version of the key.
path "stashbase/keys/acme/rotate" {
  capabilities = ["update"]
}

# Stored data over to the newest version.
path "stashbase/keys/acme/rewrap" {
  capabilities = ["update"]
}

# Versions below that oldest one gone for good.
path "stashbase/keys/acme/trim" {
  capabilities = ["update"]
}
