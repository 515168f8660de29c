locals {
  has_dead_letters = length(var.events) + length(var.subscriptions) > 0
  pubsub_agent     = "serviceAccount:service-${var.project.number}@gcp-sa-pubsub.iam.gserviceaccount.com"

  # Eventarc makes a subscription for each trigger. A trigger has no setting for dead letters:
  # `scripts/dead-letters.sh` sets them on the subscription.
  event_subscriptions = { for name, trigger in google_eventarc_trigger.this : name => trigger.transport[0].pubsub[0].subscription }
}

resource "google_pubsub_topic" "dead" {
  #checkov:skip=CKV_GCP_83:What is in a dead letter is in Firestore as well, under Google's keys.
  count   = local.has_dead_letters ? 1 : 0
  project = var.project.id
  name    = "${var.name}-dead"
}

# Keeps what was given up for 31 days, so that it can be looked at and sent again.
resource "google_pubsub_subscription" "dead" {
  count                      = local.has_dead_letters ? 1 : 0
  project                    = var.project.id
  name                       = "${var.name}-dead"
  topic                      = google_pubsub_topic.dead[0].id
  message_retention_duration = "2678400s"

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_topic_iam_member" "dead" {
  count   = local.has_dead_letters ? 1 : 0
  project = var.project.id
  topic   = google_pubsub_topic.dead[0].name
  role    = "roles/pubsub.publisher"
  member  = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "subscriptions" {
  for_each     = var.subscriptions
  project      = var.project.id
  subscription = google_pubsub_subscription.this[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "events" {
  for_each     = var.events
  project      = var.project.id
  subscription = local.event_subscriptions[each.key]
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}
