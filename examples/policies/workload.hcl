# workload: loads the values of one environment, and nothing else.
#
# workspace    acme
# project      api
# environment  development
#
# Written by: vault read -field=policy stashbase/policies/workload workspace=acme project=api environment=development

# All values of the environment.
path "stashbase/load/acme/api/development" {
  capabilities = ["read"]
}
