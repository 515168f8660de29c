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
  description = "Names of the services, whose traffic `scripts/rollout.sh` moves."
  value = [
    module.api.name,
    module.deploy_agent.name,
    module.execute_workflow.name,
    module.handle_stripe_webhook.name,
    module.on_user_create.name,
    module.sync_google_workspace.name,
  ]
}

output "registry" {
  description = "Where images are pushed to, without the function's name."
  value       = module.delivery.registry
}

output "secrets" {
  description = "The secrets, each with the version that functions start with."
  value       = { for name, reference in module.secrets.references : name => reference.version }
}
