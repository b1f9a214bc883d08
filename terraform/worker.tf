# What both backends run: the worker, and vLLM beside it with the GPU. pagemill's worker asks it for blocks of text.
locals {
  vlm_port    = 8118
  worker_port = 8080

  # Cloud Run wants at least 4 CPUs and 16 GiB beside an L4 (at most 8 and 32), 20 and 80 beside an RTX PRO 6000, summed
  # over the containers. A page image is 6 MB; its layout takes a core. What a GPU is worth is not measured yet.
  size = {
    "nvidia-l4" = {
      worker         = { cpu = "4", memory = "8Gi" }
      vlm            = { cpu = "4", memory = "16Gi" }
      requests       = 64
      pages          = 96
      layout_processes = 3
    }
    "nvidia-rtx-pro-6000" = {
      worker         = { cpu = "12", memory = "24Gi" }
      vlm            = { cpu = "8", memory = "64Gi" }
      requests       = 256
      pages          = 384
      layout_processes = 10
    }
  }[var.gpu]

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
