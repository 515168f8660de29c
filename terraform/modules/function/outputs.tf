output "caller_email" {
  description = "E-mail address of the account that delivers to the function; null if nothing does."
  value       = one(google_service_account.caller[*].email)
}

output "dead_letters" {
  description = "The subscriptions of the triggers with the topic of their dead letters, for `scripts/dead-letters.sh`."
  value = {
    for subscription in values(local.event_subscriptions) : subscription => {
      max_deliveries = var.max_deliveries
      topic          = google_pubsub_topic.dead[0].id
    }
  }
}

output "member" {
  description = "The function's identity, as a member of a policy."
  value       = google_service_account.this.member
}

output "name" {
  description = "Name of the service."
  value       = google_cloud_run_v2_service.this.name
}

output "uri" {
  description = "URL of the service."
  value       = google_cloud_run_v2_service.this.uri
}
