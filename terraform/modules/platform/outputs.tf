output "address" {
  description = "IPv4 address that the domain's A record leads to."
  value       = module.network.address
}

output "certificate" {
  description = "Name of the managed certificate."
  value       = module.network.certificate
}

output "dead_letters" {
  description = "The subscriptions of Eventarc's triggers with the topics of their dead letters, for `scripts/dead-letters.sh`."
  value       = merge(module.deploy_agent.dead_letters, module.execute_workflow.dead_letters, module.on_user_create.dead_letters)
}

output "deployer" {
  description = "E-mail address of the account that deploys."
  value       = module.delivery.deployer
}

output "functions" {
  description = "Names of the services, whose traffic `scripts/rollout.sh` moves. They are told when one could not be made too."
  value       = local.functions
}

output "registry" {
  description = "Where images are pushed to, without the function's name."
  value       = module.delivery.registry
}

output "secret_names" {
  description = "Names of the secrets whose values a person adds: all but that of Redis, which Terraform makes."
  value       = [for name in keys(module.secrets.references) : name if name != "redis-url"]
}

output "secrets" {
  description = "The secrets, each with the version that functions start with."
  value       = { for name, reference in module.secrets.references : name => reference.version }
}
