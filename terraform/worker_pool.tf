# A Cloud Run worker pool: no address, nothing is pushed to it. Its workers pull when they have a free slot.
resource "google_cloud_run_v2_worker_pool" "this" {
  count               = local.backend == "pool" ? 1 : 0
  name                = "${var.name}-worker"
  location            = var.region
  deletion_protection = false # it holds nothing: what is in hand is handed back

  scaling {
    scaling_mode          = "MANUAL"
    manual_instance_count = 0
  }

  template {
    service_account               = google_service_account.this["worker"].email
    gpu_zonal_redundancy_disabled = true # half the price; a zone that fails costs time, no job

    node_selector {
      accelerator = var.gpu
    }

    containers {
      name       = "worker"
      image      = local.images.worker
      depends_on = ["vlm"]
      resources {
        limits = { cpu = tostring(local.size.worker_cpu), memory = "${local.size.worker_gib}Gi" }
      }
      dynamic "env" {
        for_each = merge(local.environment, local.worker_environment)
        content {
          name  = env.key
          value = env.value
        }
      }
      startup_probe {
        period_seconds    = 5
        timeout_seconds   = 3
        failure_threshold = 36
        http_get {
          path = "/healthz"
          port = local.worker_port
        }
      }
      liveness_probe {
        period_seconds    = 30
        timeout_seconds   = 5
        failure_threshold = 4
        http_get {
          path = "/healthz"
          port = local.worker_port
        }
      }
    }

    # One container of an instance gets the GPU: vLLM's.
    containers {
      name  = "vlm"
      image = local.images.vlm
      # Who probes stands outside of the container, and a pool has no address that anybody else could reach. Beside VMs the
      # image's own 127.0.0.1 stays.
      args = ["--host", "0.0.0.0"]
      resources {
        limits = { cpu = tostring(local.size.vlm_cpu), memory = "${local.size.vlm_gib}Gi", "nvidia.com/gpu" = "1" }
      }
      # Ten minutes: how long vLLM takes is not measured, nor whether Cloud Run lets a pool's probe wait that long; of
      # services it is known that it ends after four.
      startup_probe {
        period_seconds    = 10
        timeout_seconds   = 5
        failure_threshold = 60
        http_get {
          path = "/health"
          port = local.vlm_port
        }
      }
      liveness_probe {
        period_seconds    = 30
        timeout_seconds   = 10
        failure_threshold = 4
        http_get {
          path = "/health"
          port = local.vlm_port
        }
      }
      volume_mounts {
        name       = "shm"
        mount_path = "/dev/shm"
      }
    }

    volumes {
      name = "shm"
      empty_dir {
        medium     = "MEMORY"
        size_limit = "4Gi"
      }
    }
  }

  lifecycle {
    ignore_changes = [scaling[0].manual_instance_count] # the autoscaler's
  }

  depends_on = [
    google_pubsub_subscription_iam_member.pulls,
    google_storage_bucket_iam_member.component,
    google_project_iam_member.database,
  ]
}
