locals {
  # What is drawn, each by service and by route.
  charts = {
    "Requests a second"        = "sum by (service_name, route) (rate(logging_googleapis_com:user_route_duration_count{monitored_resource=\"cloud_run_revision\"}[5m]))"
    "Part that fails"          = "sum by (service_name, route) (rate(logging_googleapis_com:user_route_duration_count{monitored_resource=\"cloud_run_revision\", class=\"5\"}[5m])) / sum by (service_name, route) (rate(logging_googleapis_com:user_route_duration_count{monitored_resource=\"cloud_run_revision\"}[5m]))"
    "95 % are faster than, ms" = "histogram_quantile(0.95, sum by (service_name, route, le) (rate(logging_googleapis_com:user_route_duration_bucket{monitored_resource=\"cloud_run_revision\"}[5m])))"
  }
}

resource "google_monitoring_dashboard" "routes" {
  project = var.project.id

  dashboard_json = jsonencode({
    displayName = "Routes"
    gridLayout = {
      columns = 1
      widgets = [for title, query in local.charts : {
        title = title
        xyChart = {
          dataSets = [{
            plotType        = "LINE"
            timeSeriesQuery = { prometheusQuery = query }
          }]
        }
      }]
    }
  })

  depends_on = [google_logging_metric.route_duration]
}
