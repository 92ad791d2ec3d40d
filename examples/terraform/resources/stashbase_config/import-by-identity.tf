import {
  to = stashbase_config.this
  identity = {
    id = "config"
  }
}
