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
    drill_recent = {
      description = "The last drill of a restore that passed is at most 100 days old."
      filter      = "resource.type=\"cloud_run_job\""
      messages    = ["restore drill is recent"]
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
        "bought twice: ended",
        "bought twice: not ended",
        "event given up",
        "event parked",
        "money goes back",
        "unknown price: tier kept",
        "webhook refused: event of the other mode",
      ]
    }
    # A build writes plain lines, each after the name of its step.
    terraform_drift = {
      description = "What is there is not what was deployed, or nobody can tell."
      filter      = "resource.type=\"build\""
      field       = "textPayload:"
      messages    = ["drift found", "drift unknown"]
    }
  }
}

resource "google_logging_metric" "this" {
  for_each    = local.log_metrics
  project     = var.project.id
  name        = each.key
  description = each.value.description
  filter      = "${each.value.filter} AND ${try(each.value.field, "jsonPayload.message=")}(${join(" OR ", [for message in each.value.messages : "\"${message}\""])})"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

# Rate, errors and duration of each route, from the line that each function logs of a request. A count of the process
# itself would be lost whenever it ends.
resource "google_logging_metric" "route_duration" {
  project         = var.project.id
  name            = "route_duration"
  description     = "Time to answer, by route, method and class of status."
  filter          = "${local.services} AND jsonPayload.message=\"request served\""
  value_extractor = "EXTRACT(jsonPayload.durationMs)"

  # Callers may make up methods, but no routes.
  label_extractors = {
    class  = "REGEXP_EXTRACT(jsonPayload.status, \"^([1-5])\")"
    method = "REGEXP_EXTRACT(jsonPayload.method, \"^(DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT)$\")"
    route  = "EXTRACT(jsonPayload.path)"
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "ms"

    dynamic "labels" {
      for_each = {
        class  = "First digit of the status."
        method = "Method of the request."
        route  = "Route as it stands in the code, without ids; empty for a path that is none."
      }
      content {
        key         = labels.key
        value_type  = "STRING"
        description = labels.value
      }
    }
  }

  # From 5 ms to six minutes.
  bucket_options {
    exponential_buckets {
      num_finite_buckets = 24
      growth_factor      = 1.6
      scale              = 5
    }
  }
}
