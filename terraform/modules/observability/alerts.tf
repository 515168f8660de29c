# Each alert by the name of its runbook, `docs/runbooks/<name>.md`. `cargo xtask lint` evaluates the queries on the series of
# `tests/alerts.yml`. Who waits for `wait_seconds` is told only of what lasts.
locals {
  alerts = {
    # Agents' own containers hold the operator's images and are not among the functions.
    error-ratio = {
      summary      = "More than 5 % of a function's requests fail, of at least 20 in five minutes."
      severity     = "CRITICAL"
      wait_seconds = 0
      query        = <<-EOT
        (
          sum by (service_name) (rate(run_googleapis_com:request_count{monitored_resource="cloud_run_revision", service_name!~"agent-.+", response_code_class="5xx"}[5m]))
          /
          sum by (service_name) (rate(run_googleapis_com:request_count{monitored_resource="cloud_run_revision", service_name!~"agent-.+"}[5m]))
        ) > 0.05
        and
        sum by (service_name) (increase(run_googleapis_com:request_count{monitored_resource="cloud_run_revision", service_name!~"agent-.+"}[5m])) >= 20
      EOT
    }

    dead-letters = {
      summary      = "Events or messages were given up after all their deliveries."
      severity     = "ERROR"
      wait_seconds = 0
      query        = <<-EOT
        max by (subscription_id) (pubsub_googleapis_com:subscription_num_undelivered_messages{monitored_resource="pubsub_subscription", subscription_id=~".+-dead"}) > 0
      EOT
    }

    events-given-up = {
      summary      = "Events were acknowledged that nobody can understand: what they tell of is lost."
      severity     = "ERROR"
      wait_seconds = 0
      query        = <<-EOT
        sum by (service_name) (increase(logging_googleapis_com:user_event_given_up{monitored_resource="cloud_run_revision"}[10m])) > 0
      EOT
    }

    # The job `backup-age` says each hour that the newest export is at most 26 hours old, or nothing.
    backup-age = {
      summary      = "The newest export of the database is older than 26 hours, or nobody looks."
      severity     = "ERROR"
      wait_seconds = 0
      query        = <<-EOT
        absent_over_time(logging_googleapis_com:user_backup_fresh{monitored_resource="cloud_run_job"}[3h])
      EOT
    }

    # The job `drill-age` says each hour that a drill has passed in the last 100 days, or nothing.
    drill-overdue = {
      summary      = "No drill of a restore has passed for 100 days, or nobody looks."
      severity     = "ERROR"
      wait_seconds = 0
      query        = <<-EOT
        absent_over_time(logging_googleapis_com:user_drill_recent{monitored_resource="cloud_run_job"}[3h])
      EOT
    }

    drill-failed = {
      summary      = "A restored export is not what the database was, or could not be restored."
      severity     = "CRITICAL"
      wait_seconds = 0
      query        = <<-EOT
        sum by (job_name) (increase(run_googleapis_com:job_completed_execution_count{monitored_resource="cloud_run_job", job_name="drill", result="failed"}[15m])) > 0
      EOT
    }

    ledger-drift = {
      summary      = "What was used, counted and billed does not agree."
      severity     = "CRITICAL"
      wait_seconds = 0
      query        = <<-EOT
        sum(increase(logging_googleapis_com:user_ledger_drift{monitored_resource="cloud_run_revision"}[10m])) > 0
      EOT
    }

    drift = {
      summary      = "Something was changed by hand and not by Terraform, or the daily look for it fails."
      severity     = "WARNING"
      wait_seconds = 0
      query        = <<-EOT
        sum(increase(logging_googleapis_com:user_terraform_drift[15m])) > 0
      EOT
    }

    stripe-events = {
      summary      = "Events of Stripe are parked or have failed for good: somebody may pay for what they do not get."
      severity     = "ERROR"
      wait_seconds = 0
      query        = <<-EOT
        sum(increase(logging_googleapis_com:user_stripe_event_stuck{monitored_resource="cloud_run_revision"}[10m])) > 0
      EOT
    }

    rate-limiter = {
      summary      = "Requests cannot be counted: what costs money is refused, and reads are limited by each instance alone."
      severity     = "CRITICAL"
      wait_seconds = 0
      query        = <<-EOT
        sum(increase(logging_googleapis_com:user_rate_limiter_out{monitored_resource="cloud_run_revision"}[10m])) > 0
      EOT
    }

    job-failed = {
      summary      = "A job has failed: an export, the anchors or the check of the audit trail, or the move of credentials."
      severity     = "ERROR"
      wait_seconds = 0
      query        = <<-EOT
        sum by (job_name) (increase(run_googleapis_com:job_completed_execution_count{monitored_resource="cloud_run_job", job_name!="drill", result="failed"}[15m])) > 0
      EOT
    }

    queue-backlog = {
      summary      = "More than 1,000 tasks have waited in a queue for a quarter of an hour."
      severity     = "WARNING"
      wait_seconds = 900
      query        = <<-EOT
        max by (queue_id) (cloudtasks_googleapis_com:queue_depth{monitored_resource="cloud_tasks_queue"}) > 1000
      EOT
    }

    sync-behind = {
      summary      = "A sync of Google Workspace has waited for more than half an hour."
      severity     = "WARNING"
      wait_seconds = 600
      query        = <<-EOT
        max(pubsub_googleapis_com:subscription_oldest_unacked_message_age{monitored_resource="pubsub_subscription", subscription_id="workspace-sync"}) > 1800
      EOT
    }

    # Two ticks a minute come to `execute-workflow` whatever else does.
    ticks-missing = {
      summary      = "The ticks that schedules, waits and recovery depend on do not come."
      severity     = "CRITICAL"
      wait_seconds = 0
      query        = <<-EOT
        sum(increase(run_googleapis_com:request_count{monitored_resource="cloud_run_revision", service_name="execute-workflow"}[15m])) < 15
        or
        absent(run_googleapis_com:request_count{monitored_resource="cloud_run_revision", service_name="execute-workflow"})
      EOT
    }

    # 99.9 % in 30 days: this fast, the budget of errors lasts for two days; both windows, so that it ends when the
    # failures do.
    burn-fast = {
      summary      = "The errors of a month are used up within two days at this rate."
      severity     = "CRITICAL"
      wait_seconds = 0
      query        = <<-EOT
        (
          sum by (service_name) (rate(run_googleapis_com:request_count{monitored_resource="cloud_run_revision", service_name=~"api|deploy-agent|handle-stripe-webhook", response_code_class="5xx"}[1h]))
          /
          sum by (service_name) (rate(run_googleapis_com:request_count{monitored_resource="cloud_run_revision", service_name=~"api|deploy-agent|handle-stripe-webhook"}[1h]))
        ) > 0.0144
        and
        (
          sum by (service_name) (rate(run_googleapis_com:request_count{monitored_resource="cloud_run_revision", service_name=~"api|deploy-agent|handle-stripe-webhook", response_code_class="5xx"}[5m]))
          /
          sum by (service_name) (rate(run_googleapis_com:request_count{monitored_resource="cloud_run_revision", service_name=~"api|deploy-agent|handle-stripe-webhook"}[5m]))
        ) > 0.0144
      EOT
    }

    burn-slow = {
      summary      = "The errors of a month are used up within five days at this rate."
      severity     = "WARNING"
      wait_seconds = 0
      query        = <<-EOT
        (
          sum by (service_name) (rate(run_googleapis_com:request_count{monitored_resource="cloud_run_revision", service_name=~"api|deploy-agent|handle-stripe-webhook", response_code_class="5xx"}[6h]))
          /
          sum by (service_name) (rate(run_googleapis_com:request_count{monitored_resource="cloud_run_revision", service_name=~"api|deploy-agent|handle-stripe-webhook"}[6h]))
        ) > 0.006
        and
        (
          sum by (service_name) (rate(run_googleapis_com:request_count{monitored_resource="cloud_run_revision", service_name=~"api|deploy-agent|handle-stripe-webhook", response_code_class="5xx"}[30m]))
          /
          sum by (service_name) (rate(run_googleapis_com:request_count{monitored_resource="cloud_run_revision", service_name=~"api|deploy-agent|handle-stripe-webhook"}[30m]))
        ) > 0.006
      EOT
    }

    unreachable = {
      summary      = "The API does not answer from most places of the world."
      severity     = "CRITICAL"
      wait_seconds = 120
      query        = <<-EOT
        avg by (check_id) (monitoring_googleapis_com:uptime_check_check_passed{monitored_resource="uptime_url"}) < 0.5
      EOT
    }

    certificate = {
      summary      = "The certificate of the API ends within two weeks: Google has not renewed it."
      severity     = "ERROR"
      wait_seconds = 0
      query        = <<-EOT
        min by (check_id) (monitoring_googleapis_com:uptime_check_time_until_ssl_cert_expires{monitored_resource="uptime_url"}) < 14
      EOT
    }
  }
}

resource "google_monitoring_alert_policy" "this" {
  for_each              = { for name, alert in local.alerts : name => alert if var.has_drill || !startswith(name, "drill-") }
  project               = var.project.id
  display_name          = each.key
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels

  conditions {
    display_name = each.value.summary
    condition_prometheus_query_language {
      query               = each.value.query
      duration            = "${each.value.wait_seconds}s"
      evaluation_interval = "60s"
      # A Prometheus label's name.
      alert_rule = replace(each.key, "-", "_")
      rule_group = "infinity-x"
      # A metric that has no point yet is unknown.
      disable_metric_validation = true
    }
  }

  documentation {
    subject   = "${var.project.id}: ${each.key}"
    content   = "${each.value.summary} What to do: [${each.key}](${var.runbooks_url}/${each.key}.md)"
    mime_type = "text/markdown"
  }

  alert_strategy {
    auto_close = "1800s"
  }

  depends_on = [google_logging_metric.this]
}
