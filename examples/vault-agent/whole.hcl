# Runs app.sh with every secret of the environment, and restarts it after a secret was changed,
# added or removed.

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

# Lines for a shell, each value in single quotes. The start fails if the name of a secret is not a
# valid name of a variable; the error names the secret.
env_template "SECRETS" {
  contents = <<EOT
{{ with secret "stashbase/load/acme/api/development" -}}
{{ range $name, $value := .Data -}}
{{ if $name | regexMatch "^[A-Za-z_][A-Za-z0-9_]*$" -}}
export {{ $name }}='{{ $value | replaceAll "'" "'\\''" }}'
{{ else -}}
echo '{{ $name }} is not a valid name of a variable' >&2; exit 1
{{ end }}{{ end }}{{ end -}}
EOT
}

exec {
  command                   = ["./whole.sh", "./app.sh"]
  restart_on_secret_changes = "always"
  restart_stop_signal       = "SIGTERM"
}
