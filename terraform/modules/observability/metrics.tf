# Lines of logs that are counted, by their messages as they stand in the code; `cargo xtask lint` looks for them there.
locals {
  services = "resource.type=\"cloud_run_revision\""

  log_metrics = {
    backup_fresh = {
      description = "The newest export is at most 26 hours old."
      resource    = "resource.type=\"cloud_run_job\""
      messages    = ["backup is fresh"]
    }
    ledger_drift = {
      description = "Usage, ledger and Stripe do not agree."
      resource    = local.services
      messages    = ["TODO"]
    }
    rate_limiter_out = {
      description = "Requests cannot be counted together."
      resource    = local.services
      messages    = ["TODO"]
    }
    stripe_event_stuck = {
      description = "An event of Stripe has no effect that should have one."
      resource    = local.services
      messages    = ["event parked"]
    }
  }
}

resource "google_logging_metric" "this" {
  for_each    = local.log_metrics
  project     = var.project.id
  name        = each.key
  description = each.value.description
  filter      = "${each.value.resource} AND jsonPayload.message=(${join(" OR ", [for message in each.value.messages : "\"${message}\""])})"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}
