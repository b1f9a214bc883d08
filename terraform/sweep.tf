# Every minute. A sweep that heals something claims it, so that two beside each other do no harm.
resource "google_cloud_scheduler_job" "sweep" {
  count            = local.is_released ? 1 : 0
  name             = "${var.name}-sweep"
  region           = var.region
  schedule         = "* * * * *"
  attempt_deadline = "180s"
  http_target {
    http_method = "POST"
    uri         = local.function_urls["sweep"]
    oidc_token {
      service_account_email = google_service_account.this["push"].email
      audience              = local.function_urls["sweep"]
    }
  }
  retry_config {
    retry_count = 0 # the next minute is soon enough
  }
  depends_on = [google_cloud_run_v2_service_iam_member.invokes]
}
