# What somebody is told of. Each alert names the page of docs/operate/ that says what to do then.
locals {
  channels = google_monitoring_notification_channel.email[*].id

  # How many workers there are, as PromQL. What isn't there reports nothing, and counts as none.
  workers = {
    pool = "sum(run_googleapis_com:container_instance_count{monitored_resource=\"cloud_run_worker_pool\",worker_pool_name=\"${var.name}-worker\"})"
    vms  = "sum(compute_googleapis_com:instance_group_size{monitored_resource=\"instance_group\",instance_group_name=\"${var.name}-worker\"})"
  }[var.worker_backend]
  cost_of_a_day = "sum_over_time(${local.workers}[1d:5m]) * 5 / 60 * ${local.price_per_gpu_hour}"

  # How busy GPUs are: the pool tells it. VMs don't, so there it is the share of their time in which their workers had pages
  # in hand, as their logs say. A VM whose worker doesn't come up says nothing, and counts as idle.
  pool_busy = "metric.type = \"run.googleapis.com/container/gpu/utilizations\" AND resource.type = \"cloud_run_worker_pool\" AND resource.labels.worker_pool_name = \"${var.name}-worker\""
  vms_busy  = "(sum(increase(logging_googleapis_com:user_${local.busy_name}_sum{monitored_resource=\"gce_instance\"}[30m])) or vector(0)) / (1800 * avg_over_time(${local.workers}[30m:1m]))"
  busy_name = replace("${var.name}_busy_seconds", "-", "_")

  subscription_alerts = {
    oldest = {
      title     = "a message has waited for ${var.alert_backlog_minutes} minutes"
      page      = "stuck-jobs.md"
      metric    = "oldest_unacked_message_age"
      threshold = 60 * var.alert_backlog_minutes
      topics    = sort(keys(local.topics))
    }
    dead = {
      title     = "there are dead letters"
      page      = "dead-letters.md"
      metric    = "num_undelivered_messages"
      threshold = 0
      topics    = ["dead-letters"]
    }
  }
}

resource "google_monitoring_alert_policy" "subscription" {
  for_each              = local.subscription_alerts
  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels
  dynamic "conditions" {
    for_each = each.value.topics
    content {
      display_name = conditions.value
      condition_threshold {
        filter          = "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${var.name}-${conditions.value}\" AND metric.type = \"pubsub.googleapis.com/subscription/${each.value.metric}\""
        comparison      = "COMPARISON_GT"
        threshold_value = each.value.threshold
        duration        = "300s"
        aggregations {
          alignment_period   = "60s"
          per_series_aligner = "ALIGN_MAX"
        }
      }
    }
  }
  documentation {
    content   = "docs/operate/${each.value.page}"
    mime_type = "text/markdown"
  }
  depends_on = [google_project_service.api]
}

# The worker's log says "page failed" with the page's code, and nothing of what is on it. Cloud Run makes fields of a line;
# the VMs' agent hands it on as one text, in which a dot below stands for a quote.
locals {
  failed_page = {
    pool = {
      resource = "cloud_run_worker_pool"
      filter   = "jsonPayload.message = \"page failed\" AND jsonPayload.logger = \"gpu_worker.commit\""
      code     = "EXTRACT(jsonPayload.code)"
    }
    vms = {
      resource = "gce_instance"
      filter   = "jsonPayload.message =~ \"message.: .page failed., .logger.: .gpu_worker.commit.\""
      code     = "REGEXP_EXTRACT(jsonPayload.message, \"code.: .([a-z_]+)\")"
    }
  }[var.worker_backend]
}

resource "google_logging_metric" "failed_pages" {
  name        = "${var.name}/failed-pages"
  description = "Pages that ended as failed, by code."
  filter      = "resource.type = \"${local.failed_page.resource}\" AND ${local.failed_page.filter}"
  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    labels {
      key = "code"
    }
  }
  label_extractors = { code = local.failed_page.code }
  depends_on       = [google_project_service.api]
}

# An alert on a metric of one's own is refused for up to ten minutes after the metric was made: so with the second apply.
resource "google_monitoring_alert_policy" "failed_pages" {
  count                 = local.is_released ? 1 : 0
  display_name          = "${var.name}: more than ${var.alert_failed_pages} pages failed in an hour"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels
  conditions {
    display_name = "failed pages"
    condition_threshold {
      filter          = "metric.type = \"logging.googleapis.com/user/${google_logging_metric.failed_pages.name}\" AND resource.type = \"${local.failed_page.resource}\""
      comparison      = "COMPARISON_GT"
      threshold_value = var.alert_failed_pages
      duration        = "0s"
      aggregations {
        alignment_period     = "3600s"
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }
  documentation {
    content   = "docs/operate/stuck-jobs.md"
    mime_type = "text/markdown"
  }
}

resource "google_monitoring_alert_policy" "cost" {
  display_name          = "${var.name}: workers cost more than ${var.alert_cost_a_day} in a day"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels
  conditions {
    display_name = "cost of the last 24 hours"
    condition_prometheus_query_language {
      query               = "${local.cost_of_a_day} > ${var.alert_cost_a_day}"
      duration            = "0s"
      evaluation_interval = "300s"
      # Before the first worker there are no such figures to ask for.
      disable_metric_validation = true
    }
  }
  documentation {
    content   = "docs/operate/costs.md"
    mime_type = "text/markdown"
  }
  depends_on = [google_project_service.api]
}

resource "google_logging_metric" "busy_seconds" {
  count           = local.has_vms ? 1 : 0
  name            = local.busy_name
  description     = "Seconds in which a worker had pages in hand, a line a minute."
  filter          = "resource.type = \"gce_instance\" AND jsonPayload.message =~ \"message.: .had work., .logger.: .gpu_worker.busy.\""
  value_extractor = "REGEXP_EXTRACT(jsonPayload.message, \"busy_seconds.: ([0-9.]+)\")"
  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "s"
  }
  depends_on = [google_project_service.api]
}

resource "google_monitoring_alert_policy" "idle_gpu" {
  count                 = local.has_vms && !contains(["DEBUG", "INFO"], var.log_level) ? 0 : 1 # no line, no alert
  display_name          = "${var.name}: GPUs are paid for and idle"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels
  conditions {
    display_name = "busy less than ${var.alert_gpu_busy_share} of the time"
    dynamic "condition_threshold" {
      for_each = local.has_vms ? [] : [local.pool_busy]
      content {
        filter          = condition_threshold.value
        comparison      = "COMPARISON_LT"
        threshold_value = var.alert_gpu_busy_share
        duration        = "1800s"
        aggregations {
          alignment_period     = "300s"
          per_series_aligner   = "ALIGN_PERCENTILE_50"
          cross_series_reducer = "REDUCE_MEAN"
        }
      }
    }
    dynamic "condition_prometheus_query_language" {
      for_each = local.has_vms ? [local.vms_busy] : []
      content {
        query                     = "${condition_prometheus_query_language.value} < ${var.alert_gpu_busy_share}"
        duration                  = "1800s"
        evaluation_interval       = "300s"
        disable_metric_validation = true
      }
    }
  }
  documentation {
    content   = "docs/operate/costs.md"
    mime_type = "text/markdown"
  }
  depends_on = [google_project_service.api]
}
