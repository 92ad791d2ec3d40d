import {
  to = stashbase_config.this
  id = "config"
}
