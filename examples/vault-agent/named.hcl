# Runs app.sh with the secrets that this file names, and restarts it after one of them has changed.

auto_auth {
  method "approle" {
    config = {
      role_id_file_path                   = "role-id"
      secret_id_file_path                 = "secret-id"
      remove_secret_id_file_after_reading = false
    }
  }
}

template_config {
  static_secret_render_interval = "1s" # how often the agent reads; the default of 5m is better for most programs
  exit_on_retry_failure         = true
}

env_template "LOG_LEVEL" {
  contents             = "{{ with secret \"stashbase/load/acme/api/development\" }}{{ .Data.LOG_LEVEL }}{{ end }}"
  error_on_missing_key = true
}

env_template "GREETING" {
  contents             = "{{ with secret \"stashbase/load/acme/api/development\" }}{{ .Data.GREETING }}{{ end }}"
  error_on_missing_key = true
}

exec {
  command                   = ["./app.sh"]
  restart_on_secret_changes = "always"
  restart_stop_signal       = "SIGTERM"
}
