output "next" {
  description = "The command to type now."
  value = local.is_released ? join("\n", [
    "curl --fail --header \"Authorization: Bearer $(gcloud auth print-identity-token)\" ${local.function_urls["submit"]}/ready",
    ]) : join(" ", [
    "gcloud builds submit . --project ${var.project_id} --region ${var.region} --config cloudbuild.yaml",
    "--service-account ${google_service_account.this["build"].id}",
    "--gcs-source-staging-dir gs://${google_storage_bucket.source.name}/staging",
    "--substitutions _REGION=${var.region},_NAME=${var.name},_RELEASE=$(git rev-parse --short HEAD),_VLM_SOURCE=IMAGE@sha256:DIGEST",
  ])
}

output "api_url" {
  description = "Where callers reach the API, and its web page, once there is a release."
  value       = local.function_urls["submit"]
}

output "buckets" {
  description = "The buckets of documents, by what they are for."
  value       = local.buckets
}

output "state_bucket" {
  description = "Where Terraform's state may go, for more than one who applies."
  value       = google_storage_bucket.state.name
}

output "runs" {
  description = "What runs now: the images by digest, the functions' archive by name."
  value = !local.is_released ? {} : {
    worker    = local.images.worker
    vlm       = local.images.vlm
    functions = "gs://${google_storage_bucket.source.name}/functions/${var.release}.zip"
  }
}
