# Lines of logs that are counted, by their messages as they stand in the code; `cargo xtask lint` looks for them there.
locals {
  services = "resource.type=\"cloud_run_revision\""
  stripe   = "resource.labels.service_name=\"handle-stripe-webhook\""

  log_metrics = {
    backup_fresh = {
      description = "The newest export is at most 26 hours old."
      filter      = "resource.type=\"cloud_run_job\""
      messages    = ["backup is fresh"]
    }
    event_given_up = {
      description = "An event was acknowledged that nobody can understand."
      filter      = "${local.services} AND NOT ${local.stripe}"
      messages    = ["event given up"]
    }
    ledger_drift = {
      description = "Usage, counters and Stripe do not agree."
      filter      = local.services
      messages = [
        "stripe has counted something else than was sent",
        "the counters of an organization do not agree",
        "tiers were out of step",
        "usage could not be compared",
        "usage is not billed",
      ]
    }
    rate_limiter_out = {
      description = "Requests cannot be counted together."
      filter      = local.services
      messages    = ["rate limits cannot be counted in Redis: reads are counted in each instance, all else is refused"]
    }
    stripe_event_stuck = {
      description = "An event of Stripe has no effect that should have one, or money goes back."
      filter      = "${local.services} AND ${local.stripe}"
      messages = [
        "event given up",
        "event parked",
        "money goes back",
        "unknown price: tier kept",
        "webhook refused: event of the other mode",
      ]
    }
  }
}

resource "google_logging_metric" "this" {
  for_each    = local.log_metrics
  project     = var.project.id
  name        = each.key
  description = each.value.description
  filter      = "${each.value.filter} AND jsonPayload.message=(${join(" OR ", [for message in each.value.messages : "\"${message}\""])})"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}
