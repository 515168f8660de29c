resource "google_billing_budget" "this" {
  billing_account = var.budget.billing_account
  display_name    = var.project.id

  budget_filter {
    projects = ["projects/${var.project.number}"]
  }

  amount {
    specified_amount {
      currency_code = var.budget.currency
      units         = tostring(var.budget.monthly_units)
    }
  }

  threshold_rules {
    threshold_percent = 0.8
  }

  threshold_rules {
    threshold_percent = 1.0
  }

  threshold_rules {
    threshold_percent = 1.0
    spend_basis       = "FORECASTED_SPEND"
  }

  # A budget takes at most five channels and no PagerDuty.
  all_updates_rule {
    monitoring_notification_channels = slice(values(google_monitoring_notification_channel.email)[*].id, 0, min(5, length(var.alert_emails)))
    disable_default_iam_recipients   = false
  }
}
