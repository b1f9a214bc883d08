# Tells what was spent and what will be; it stops nothing. What stops is max_gpus, and the instances of each function.
resource "google_monitoring_notification_channel" "email" {
  count        = var.alert_email == "none" ? 0 : 1
  display_name = "${var.name}: operators"
  type         = "email"
  labels       = { email_address = var.alert_email }
  depends_on   = [google_project_service.api]
}

resource "google_billing_budget" "this" {
  count           = var.billing_account == "none" ? 0 : 1
  billing_account = var.billing_account
  display_name    = "${var.name}: a month"
  budget_filter {
    projects        = ["projects/${local.number}"]
    calendar_period = "MONTH"
  }
  amount {
    specified_amount {
      units = tostring(var.budget)
    }
  }
  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1.0]
    content {
      threshold_percent = threshold_rules.value
    }
  }
  threshold_rules {
    threshold_percent = 1.0
    spend_basis       = "FORECASTED_SPEND"
  }
  dynamic "all_updates_rule" {
    for_each = length(google_monitoring_notification_channel.email) == 0 ? [] : [google_monitoring_notification_channel.email[0].id]
    content {
      monitoring_notification_channels = [all_updates_rule.value]
    }
  }
}
