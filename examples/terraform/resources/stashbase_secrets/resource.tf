variable "smtp_password" {
  type      = string
  sensitive = true
  ephemeral = true
}

# All secrets are written in one request, or none is. Change values_wo_version to send all again.
resource "stashbase_secrets" "mail" {
  workspace   = "acme"
  project     = "api"
  environment = "production"

  values_wo = {
    SMTP_HOST     = "mail.acme.example"
    SMTP_USER     = "api"
    SMTP_PASSWORD = var.smtp_password
  }
  values_wo_version = 1
}
