terraform import stashbase_config.this config
