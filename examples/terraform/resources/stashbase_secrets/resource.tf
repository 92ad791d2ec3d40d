variable "smtp_password" {
  type      = string
  sensitive = true
  ephemeral = true
}

# Written all or nothing, in one request. Another values_wo_version sends all again.
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
