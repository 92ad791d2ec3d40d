# crypto-service: encrypts, decrypts and makes digests under one context of a workspace; sees no secret.
#
# workspace    acme
# context      billing
#
# Written by: vault read -field=policy stashbase/policies/crypto-service workspace=acme context=billing

# Encrypting; a service that only writes needs no more.
path "stashbase/encrypt/acme/billing" {
  capabilities = ["update"]
}

# Decrypting.
path "stashbase/decrypt/acme/billing" {
  capabilities = ["update"]
}

# Ciphertexts over to the newest key version.
path "stashbase/rewrap/acme/billing" {
  capabilities = ["update"]
}

# Digests.
path "stashbase/hmac/acme/billing" {
  capabilities = ["update"]
}

# Comparing digests.
path "stashbase/verify/acme/billing" {
  capabilities = ["update"]
}

# Data keys, also in the clear; allowed_parameters can restrict the type.
path "stashbase/datakey/acme/billing" {
  capabilities = ["update"]
}
