resource "google_eventarc_trigger" "this" {
  for_each                = var.events
  project                 = var.project.id
  name                    = "${var.name}-${each.key}"
  location                = each.value.location
  service_account         = google_service_account.caller[0].email
  event_data_content_type = each.value.content_type

  matching_criteria {
    attribute = "type"
    value     = each.value.type
  }

  dynamic "matching_criteria" {
    for_each = each.value.filters
    content {
      attribute = matching_criteria.key
      value     = matching_criteria.value
    }
  }

  dynamic "matching_criteria" {
    for_each = each.value.patterns
    content {
      attribute = matching_criteria.key
      operator  = "match-path-pattern"
      value     = matching_criteria.value
    }
  }

  destination {
    cloud_run_service {
      service = google_cloud_run_v2_service.this.name
      region  = var.location
      path    = each.value.path
    }
  }

  # Without `retry_policy` an event is tried again for 24 hours, which is what is wanted.
  depends_on = [
    google_cloud_run_v2_service_iam_member.caller,
    google_project_iam_member.event_receiver,
  ]
}

resource "google_project_iam_member" "event_receiver" {
  count   = length(var.events) > 0 ? 1 : 0
  project = var.project.id
  role    = "roles/eventarc.eventReceiver"
  member  = google_service_account.caller[0].member
}

resource "google_pubsub_subscription" "this" {
  for_each                   = var.subscriptions
  project                    = var.project.id
  name                       = each.key
  topic                      = each.value.topic
  ack_deadline_seconds       = each.value.ack_deadline_seconds
  message_retention_duration = "604800s"

  push_config {
    push_endpoint = "${var.url}${each.value.path}"
    oidc_token {
      service_account_email = google_service_account.caller[0].email
      audience              = var.url
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead[0].id
    max_delivery_attempts = var.max_deliveries
  }

  # It would be deleted after 31 days without a message.
  expiration_policy {
    ttl = ""
  }
}

resource "google_cloud_scheduler_job" "this" {
  for_each         = var.schedules
  project          = var.project.id
  region           = var.location
  name             = "${var.name}-${each.key}"
  schedule         = each.value.cron
  time_zone        = "Etc/UTC"
  attempt_deadline = "${each.value.attempt_deadline_seconds}s"

  http_target {
    http_method = "POST"
    uri         = "${var.url}${each.value.path}"
    oidc_token {
      service_account_email = google_service_account.caller[0].email
      audience              = var.url
    }
  }

  retry_config {
    retry_count = each.value.retries
  }
}
