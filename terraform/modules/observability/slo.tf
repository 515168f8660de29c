locals {
  requests = {
    for function in var.public_functions : function => join(" AND ", [
      "metric.type=\"run.googleapis.com/request_count\"",
      "resource.type=\"cloud_run_revision\"",
      "resource.labels.service_name=\"${function}\"",
    ])
  }
}

resource "google_monitoring_custom_service" "this" {
  for_each     = var.public_functions
  project      = var.project.id
  service_id   = each.value
  display_name = each.value
}

resource "google_monitoring_slo" "availability" {
  for_each            = var.public_functions
  project             = var.project.id
  service             = google_monitoring_custom_service.this[each.value].service_id
  slo_id              = "availability"
  display_name        = "99.9 % of requests do not fail, in 30 days"
  goal                = 0.999
  rolling_period_days = 30

  request_based_sli {
    good_total_ratio {
      total_service_filter = local.requests[each.value]
      bad_service_filter   = "${local.requests[each.value]} AND metric.labels.response_code_class=\"5xx\""
    }
  }
}

resource "google_monitoring_slo" "latency" {
  project             = var.project.id
  service             = google_monitoring_custom_service.this["api"].service_id
  slo_id              = "latency"
  display_name        = "95 % of the API's requests are answered in time, in 30 days"
  goal                = 0.95
  rolling_period_days = 30

  request_based_sli {
    distribution_cut {
      distribution_filter = "metric.type=\"run.googleapis.com/request_latencies\" AND resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"api\""
      range {
        max = var.latency_target_ms
      }
    }
  }
}
