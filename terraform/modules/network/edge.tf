locals {
  services = { for function in values(var.functions) : function.name => function... }
  paths    = { for path, function in var.functions : path => function if path != "/*" }
}

resource "google_compute_global_address" "edge" {
  project = var.project_id
  name    = "edge"
}

resource "google_compute_region_network_endpoint_group" "this" {
  for_each              = local.services
  project               = var.project_id
  name                  = each.key
  region                = var.location
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = each.key
  }
}

resource "google_compute_backend_service" "this" {
  for_each              = local.services
  project               = var.project_id
  name                  = each.key
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTPS"
  security_policy       = google_compute_security_policy.edge.id

  backend {
    group = google_compute_region_network_endpoint_group.this[each.key].id
  }

  log_config {
    enable      = true
    sample_rate = 0.1
  }
}

# Only these paths lead to a function: what Google's own callers post to is not among them.
resource "google_compute_url_map" "this" {
  project         = var.project_id
  name            = "edge"
  default_service = google_compute_backend_service.this[var.functions["/*"].name].id

  host_rule {
    hosts        = [var.domain]
    path_matcher = "functions"
  }

  path_matcher {
    name            = "functions"
    default_service = google_compute_backend_service.this[var.functions["/*"].name].id

    dynamic "path_rule" {
      for_each = local.paths
      content {
        paths   = [path_rule.key]
        service = google_compute_backend_service.this[path_rule.value.name].id

        dynamic "route_action" {
          for_each = path_rule.value.rewrite[*]
          content {
            url_rewrite {
              path_prefix_rewrite = route_action.value
            }
          }
        }
      }
    }
  }
}

resource "google_compute_url_map" "redirect" {
  project = var.project_id
  name    = "edge-redirect"

  default_url_redirect {
    https_redirect         = true
    redirect_response_code = "MOVED_PERMANENTLY_DEFAULT"
    strip_query            = false
  }
}
