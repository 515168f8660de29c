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

output "deployer" {
  description = "E-mail address of the account that deploys."
  value       = module.platform.deployer
}

output "functions" {
  description = "Names of the services, whose traffic `scripts/rollout.sh` moves."
  value       = module.platform.functions
}

output "registry" {
  description = "Where images are pushed to, without the function's name."
  value       = module.platform.registry
}

output "secrets" {
  description = "The secrets, each with the version that functions start with."
  value       = module.platform.secrets
}
