output "address" {
  description = "IPv4 address that the domain's A record leads to."
  value       = module.platform.address
}

output "certificate" {
  description = "Name of the managed certificate."
  value       = module.platform.certificate
}

output "dead_letters" {
  description = "The subscriptions of Eventarc's triggers with the topics of their dead letters, for `scripts/dead-letters.sh`."
  value       = module.platform.dead_letters
}

output "deployed" {
  description = "The commit and its images, for `scripts/drift.sh`."
  value       = { commit = var.commit, images = var.images }
}

output "deployer" {
  description = "E-mail address of the account that deploys."
  value       = module.platform.deployer
}

output "domain" {
  description = "Host name of the API."
  value       = var.domain
}

output "functions" {
  description = "Names of the services, whose traffic `scripts/rollout.sh` moves."
  value       = module.platform.functions
}

output "google_oauth_client_id" {
  description = "OAuth client by which Google Workspace is connected; null if it is not."
  value       = var.google_oauth_client_id
}

output "project_id" {
  description = "The project."
  value       = var.project.id
}

output "registry" {
  description = "Where images are pushed to, without the function's name."
  value       = module.platform.registry
}

output "secret_names" {
  description = "Names of the secrets whose values a person adds, a line each."
  value       = join("\n", module.platform.secret_names)
}

output "secrets" {
  description = "The secrets, each with the version that functions start with."
  value       = module.platform.secrets
}
