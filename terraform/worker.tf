# What both backends run: the worker, and vLLM beside it with the GPU. pagemill's worker asks it for blocks of text.
locals {
  vlm_port    = 8118
  worker_port = 8080

  vlm_release = var.vlm_release == "" ? var.release : var.vlm_release
  worker_tag  = "worker:${var.release}"
  vlm_tag     = "vlm:${local.vlm_release}"
  images = local.is_released ? {
    worker = data.google_artifact_registry_docker_image.worker[0].self_link
    vlm    = data.google_artifact_registry_docker_image.vlm[0].self_link
  } : {}
}

# Looked up by the release's name, run by digest: what isn't there fails the plan, not the first cold start.
data "google_artifact_registry_docker_image" "worker" {
  count         = local.is_released ? 1 : 0
  location      = var.region
  repository_id = google_artifact_registry_repository.images.repository_id
  image_name    = local.worker_tag
}

data "google_artifact_registry_docker_image" "vlm" {
  count         = local.is_released ? 1 : 0
  location      = var.region
  repository_id = google_artifact_registry_repository.images.repository_id
  image_name    = local.vlm_tag
}
