data "stashbase_policy" "workload" {
  role        = "workload"
  workspace   = "acme"
  project     = "api"
  environment = "production"
}

output "policy" {
  value = data.stashbase_policy.workload.policy
}
