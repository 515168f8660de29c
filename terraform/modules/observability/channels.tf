locals {
  channels = concat(
    [google_monitoring_notification_channel.pagerduty.id],
    values(google_monitoring_notification_channel.email)[*].id,
  )
}

resource "google_monitoring_notification_channel" "pagerduty" {
  project      = var.project.id
  display_name = "PagerDuty"
  type         = "pagerduty"

  sensitive_labels {
    service_key_wo         = var.pagerduty_service_key
    service_key_wo_version = var.pagerduty_service_key_version
  }
}

resource "google_monitoring_notification_channel" "email" {
  for_each     = var.alert_emails
  project      = var.project.id
  display_name = each.value
  type         = "email"
  labels = {
    email_address = each.value
  }
}
