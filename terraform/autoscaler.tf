# Sizes the pool from the backlog of both lanes: CREMA, Google's packaging of KEDA for Cloud Run. Each lane asks for
# backlog / ranges_per_gpu workers, and the larger wish is granted, never more than max_gpus. It sleeps between the ticks
# of a scheduler, so that it costs nothing between them.
locals {
  has_pool = local.backend == "pool"

  crema = {
    apiVersion = "crema/v1"
    kind       = "CremaConfig"
    spec = {
      triggerAuthentications = [{ metadata = { name = "self" }, spec = { podIdentity = { provider = "gcp" } } }]
      scaledObjects = [{ spec = {
        scaleTargetRef  = { name = "projects/${var.project_id}/locations/${var.region}/workerpools/${var.name}-worker" }
        minReplicaCount = 0
        maxReplicaCount = var.max_gpus
        triggers = [for topic in sort(local.pulled) : {
          type = "gcp-pubsub"
          name = topic
          metadata = {
            subscriptionName = google_pubsub_subscription.this[topic].id
            mode             = "SubscriptionSize"
            value            = tostring(var.ranges_per_gpu)
            activationValue  = "0"
          }
          authenticationRef = { name = "self" }
        }]
        advanced = { horizontalPodAutoscalerConfig = { behavior = { scaleDown = { stabilizationWindowSeconds = 60 * var.idle_minutes } } } }
      } }]
    }
  }
}

resource "google_parameter_manager_parameter" "crema" {
  count        = local.has_pool ? 1 : 0
  parameter_id = "${var.name}-autoscaler"
  format       = "YAML"
  depends_on   = [google_project_service.api]
}

# A version never changes: its name is its content's.
resource "google_parameter_manager_parameter_version" "crema" {
  count                = local.has_pool ? 1 : 0
  parameter            = google_parameter_manager_parameter.crema[0].id
  parameter_version_id = "v-${substr(sha256(yamlencode(local.crema)), 0, 12)}"
  parameter_data       = yamlencode(local.crema)
  lifecycle {
    create_before_destroy = true
  }
}

resource "google_cloud_run_v2_service" "crema" {
  count               = local.has_pool ? 1 : 0
  name                = "${var.name}-autoscaler"
  location            = var.region
  ingress             = "INGRESS_TRAFFIC_INTERNAL_ONLY"
  deletion_protection = false
  template {
    service_account = google_service_account.this["scaler"].email
    scaling {
      min_instance_count = 0
      max_instance_count = 1 # two would scale against each other
    }
    containers {
      image          = var.autoscaler_image
      base_image_uri = "us-central1-docker.pkg.dev/serverless-runtimes/google-24/runtimes/java25"
      env {
        name  = "CREMA_CONFIG"
        value = google_parameter_manager_parameter_version.crema[0].name
      }
      resources {
        limits   = { cpu = "1", memory = "512Mi" }
        cpu_idle = true # between two ticks nothing is paid; otherwise an instance is, around the clock
      }
    }
  }
}

resource "google_cloud_scheduler_job" "crema" {
  count            = local.has_pool ? 1 : 0
  name             = "${var.name}-autoscaler"
  region           = var.region
  schedule         = "* * * * *"
  attempt_deadline = "60s"
  http_target {
    http_method = "POST"
    uri         = google_cloud_run_v2_service.crema[0].uri
    oidc_token {
      service_account_email = google_service_account.this["push"].email
      audience              = google_cloud_run_v2_service.crema[0].uri
    }
  }
  depends_on = [google_cloud_run_v2_service_iam_member.ticks]
}

resource "google_cloud_run_v2_service_iam_member" "ticks" {
  count    = local.has_pool ? 1 : 0
  name     = google_cloud_run_v2_service.crema[0].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.this["push"].member
}

# It may change this one pool, and so must be allowed to name the account that the pool runs as.
resource "google_cloud_run_v2_worker_pool_iam_member" "scales" {
  count    = local.has_pool ? 1 : 0
  name     = google_cloud_run_v2_worker_pool.this[0].name
  location = var.region
  role     = "roles/run.developer"
  member   = google_service_account.this["scaler"].member
}

resource "google_service_account_iam_member" "scales_as_worker" {
  count              = local.has_pool ? 1 : 0
  service_account_id = google_service_account.this["worker"].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.this["scaler"].member
}

resource "google_project_iam_member" "scaler" {
  for_each = toset(local.has_pool ? ["roles/monitoring.viewer", "roles/parametermanager.parameterViewer"] : [])
  project  = var.project_id
  role     = each.value
  member   = google_service_account.this["scaler"].member
}
