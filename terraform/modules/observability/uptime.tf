# Without a token the API answers 401, all the way from the load balancer to the function. Its `/healthz` cannot be asked
# from outside: Google's front end keeps paths that end in `z` for itself.
resource "google_monitoring_uptime_check_config" "api" {
  project      = var.project.id
  display_name = "api"
  period       = "60s"
  timeout      = "10s"

  http_check {
    path         = "/api/v1/me"
    port         = 443
    use_ssl      = true
    validate_ssl = true
    accepted_response_status_codes {
      status_value = 401
    }
  }

  monitored_resource {
    type = "uptime_url"
    labels = {
      project_id = var.project.id
      host       = var.domain
    }
  }
}
