# The configuration that `make demo` applies: a workspace with a project and two environments, a
# secret, an integration with a Vault, and a sync that keeps a KV engine there equal to one
# environment.
#
# This file contains no value and no credential, and neither does the state. They are passed as
# ephemeral variables and written through write-only attributes. A different *_version sends the
# value again.

terraform {
  required_version = ">= 1.11"
  required_providers {
    stashbase = {
      source = "stashbase/stashbase"
    }
  }
}

# Address and token come from VAULT_ADDR and VAULT_TOKEN.
provider "stashbase" {}

variable "vault_address" {
  description = "URL of the Vault with the sync's destination. In the demo, the engine runs in the same Vault."
  type        = string
}

variable "sync_token" {
  description = "Token of that Vault with the right to write below team-kv/."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "database_url" {
  description = "Value of the secret DATABASE_URL."
  type        = string
  sensitive   = true
  ephemeral   = true
}

# The engine reaches an address that is not public only with a rule. Plain http works only on this
# machine.
resource "stashbase_config" "mount" {
  egress_allow = ["127.0.0.0/8:${regex("[0-9]+$", var.vault_address)}+http"]
}

resource "stashbase_workspace" "acme" {
  name             = "acme"
  description      = "the demo tenant"
  deletion_allowed = true
}

resource "stashbase_project" "api" {
  workspace = stashbase_workspace.acme.name
  name      = "api"
}

resource "stashbase_environment" "development" {
  workspace = stashbase_workspace.acme.name
  project   = stashbase_project.api.name
  name      = "development"
}

resource "stashbase_environment" "production" {
  workspace        = stashbase_workspace.acme.name
  project          = stashbase_project.api.name
  name             = "production"
  production       = true
  deletion_allowed = true
}

resource "stashbase_secret" "database_url" {
  workspace        = stashbase_workspace.acme.name
  project          = stashbase_project.api.name
  environment      = stashbase_environment.development.name
  name             = "DATABASE_URL"
  value_wo         = var.database_url
  value_wo_version = 1
  comment          = "first cluster"
}

# The credential is used only for what is allowed here.
resource "stashbase_integration_vault" "team" {
  workspace            = stashbase_workspace.acme.name
  name                 = "team"
  address              = var.vault_address
  token_wo             = var.sync_token
  token_wo_version     = 1
  allowed_environments = ["api/development"]
  allowed_targets      = ["team-kv/api/*"]

  depends_on = [stashbase_config.mount]
}

resource "stashbase_sync_vault_kv" "team" {
  workspace   = stashbase_workspace.acme.name
  project     = stashbase_project.api.name
  environment = stashbase_environment.development.name
  name        = "team"
  integration = stashbase_integration_vault.team.name
  mount       = "team-kv"
  path        = "api/development"
  purge       = true # destroying the sync also deletes the entries that it wrote

  depends_on = [stashbase_secret.database_url]
}
