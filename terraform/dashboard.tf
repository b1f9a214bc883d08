# One page: what waits, what works, what fails, what it costs.
locals {
  pubsub_filter = { for metric in ["num_undelivered_messages", "oldest_unacked_message_age"] : metric => "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = starts_with(\"${var.name}-\") AND metric.type = \"pubsub.googleapis.com/subscription/${metric}\"" }
  charts = [
    { title = "Messages that wait", filter = local.pubsub_filter["num_undelivered_messages"], aligner = "ALIGN_MEAN", by = "resource.label.subscription_id", query = "" },
    { title = "Age of the oldest, seconds", filter = local.pubsub_filter["oldest_unacked_message_age"], aligner = "ALIGN_MAX", by = "resource.label.subscription_id", query = "" },
    { title = "GPU workers", filter = "", aligner = "", by = "", query = local.workers },
    { title = "Workers' cost of the last 24 hours", filter = "", aligner = "", by = "", query = local.cost_of_a_day },
    { title = "Failed pages, by code", filter = "metric.type = \"logging.googleapis.com/user/${google_logging_metric.failed_pages.name}\"", aligner = "ALIGN_DELTA", by = "metric.label.code", query = "" },
    { title = "Requests and pushes, by function and answer", filter = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = starts_with(\"${var.name}-\") AND metric.type = \"run.googleapis.com/request_count\"", aligner = "ALIGN_RATE", by = "metric.label.response_code_class", query = "" },
    { title = "GPU busy share", filter = local.has_vms ? "" : local.pool_busy, aligner = "ALIGN_PERCENTILE_50", by = "resource.label.worker_pool_name", query = local.has_vms ? local.vms_busy : "" },
  ]
}

resource "google_monitoring_dashboard" "this" {
  dashboard_json = jsonencode({
    displayName = var.name
    mosaicLayout = {
      columns = 48
      tiles = [for number, chart in local.charts : {
        xPos   = 24 * (number % 2)
        yPos   = 16 * floor(number / 2)
        width  = 24
        height = 16
        widget = {
          title = chart.title
          xyChart = { dataSets = [{
            plotType = "LINE"
            timeSeriesQuery = { for kind, query in {
              prometheusQuery = chart.query
              timeSeriesFilter = chart.filter == "" ? null : {
                filter      = chart.filter
                aggregation = { alignmentPeriod = "60s", perSeriesAligner = chart.aligner, crossSeriesReducer = "REDUCE_SUM", groupByFields = [chart.by] }
              }
            } : kind => query if query != "" && query != null }
          }] }
        }
      }]
    }
  })
  depends_on = [google_project_service.api]
}
