# What `make demo` applies to its Vault: a workspace with a project and two environments, a few secrets, an integration with a Vault,
# and a sync that keeps a KV engine there equal to one environment.
#
# No value and no credential stands here, and none comes to stand in the state: they are handed over as ephemeral variables, and
# written through write-only attributes. Another *_version sends one again.

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
  description = "URL of the Vault that is synced to. In the demo it is the one that the engine runs in."
  type        = string
}

variable "sync_token" {
  description = "Token of that Vault, which may write below team-kv/."
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

# Nothing leaves for an address that is not public unless a rule says so; plain http only on this machine.
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

# A credential is used for nothing but what is allowed here.
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
  purge       = true # when the sync is destroyed, what it wrote goes too

  depends_on = [stashbase_secret.database_url]
}
