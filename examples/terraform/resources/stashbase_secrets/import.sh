terraform import stashbase_secrets.mail acme/api/production
