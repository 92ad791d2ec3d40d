# Runs app.sh with every secret of the environment, and restarts it when one of them has changed, was added or was removed.

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
  static_secret_render_interval = "1s" # how often the agent asks; its default of 5m suits most programs better
  exit_on_retry_failure         = true
}

# Lines for a shell: each value in single quotes. A name that is no name of a variable ends the start with an error that names it.
env_template "SECRETS" {
  contents = <<EOT
{{ with secret "stashbase/load/acme/api/development" -}}
{{ range $name, $value := .Data -}}
{{ if $name | regexMatch "^[A-Za-z_][A-Za-z0-9_]*$" -}}
export {{ $name }}='{{ $value | replaceAll "'" "'\\''" }}'
{{ else -}}
echo '{{ $name }} is no name of a variable' >&2; exit 1
{{ end }}{{ end }}{{ end -}}
EOT
}

exec {
  command                   = ["./whole.sh", "./app.sh"]
  restart_on_secret_changes = "always"
  restart_stop_signal       = "SIGTERM"
}
