# integration-admin: looks after the integrations of one workspace and what they may be used for; sees no secret.
#
# workspace    acme
#
# Written by: vault read -field=policy stashbase/policies/integration-admin workspace=acme

# The integrations.
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
