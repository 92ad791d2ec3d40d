terraform import stashbase_environment.staging acme/api/staging
