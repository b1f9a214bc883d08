# What everything is called, in one place. pipeline.json is what Terraform and the Python code must agree on: a test
# (tests/test_terraform_and_code.py) compares it with shared/, ingest_fn/, notifier/ and the decisions.
locals {
  pipeline = jsondecode(file("${path.module}/pipeline.json"))

  buckets = { for kind in ["data", "inbox", "uploads", "outbox"] : kind => "${var.project_id}-${var.name}-${kind}" }

  # Cloud Run gives each service this address beside the one with a hash. It is known before the service is there, so
  # that a function may be told its own, and a subscription may push to a function that reads the subscription's name.
  number        = data.google_project.this.number
  function_urls = { for name in keys(local.pipeline.functions) : name => "https://${var.name}-${name}-${local.number}.${var.region}.run.app" }

  # Before the first build there is nothing to run: the first apply makes what the build needs, the second the rest.
  is_released = var.release != ""
  functions   = local.is_released ? local.pipeline.functions : {}
  backend     = local.is_released ? var.worker_backend : "none"

  # Google's own accounts that act for this project.
  agents = {
    pubsub   = "serviceAccount:service-${local.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
    eventarc = "serviceAccount:service-${local.number}@gcp-sa-eventarc.iam.gserviceaccount.com"
    storage  = "serviceAccount:${data.google_storage_project_service_account.this.email_address}"
  }
}

data "google_project" "this" {
  project_id = var.project_id
  depends_on = [google_project_service.api]
}

# Asking for it makes it, in a project that has never had a bucket's event.
data "google_storage_project_service_account" "this" {
  depends_on = [google_project_service.api]
}
