# Five functions from one source, main.py at the archive's root. The build stores the archive under the release's name,
# once: a release never changes, and going back is naming an older one.
data "google_storage_bucket_object" "source" {
  count  = local.is_released ? 1 : 0
  bucket = google_storage_bucket.source.name
  name   = "functions/${var.release}.zip"
}

resource "google_cloudfunctions2_function" "this" {
  for_each = local.functions
  name     = "${var.name}-${each.key}"
  location = var.region

  build_config {
    runtime         = "python311" # what the tests run on
    entry_point     = each.key
    service_account = google_service_account.this["build"].id
    # Not Google's default repository, which the build's account has no right to.
    docker_repository = google_artifact_registry_repository.functions.id
    source {
      storage_source {
        bucket     = data.google_storage_bucket_object.source[0].bucket
        object     = data.google_storage_bucket_object.source[0].name
        generation = data.google_storage_bucket_object.source[0].generation
      }
    }
    automatic_update_policy {}
  }

  service_config {
    available_memory   = var.functions[each.key].memory
    available_cpu      = tostring(var.functions[each.key].cpu)
    min_instance_count = 0
    max_instance_count = var.functions[each.key].max_instances
    # Pushes: as many as shared/push.py takes at once. The API's requests mostly wait for Firestore.
    max_instance_request_concurrency = each.value.called_by == "callers" ? 20 : local.delivery.pushes_at_once
    # Never longer than the lease of what is pushed, or two would have the same message in hand.
    timeout_seconds                = local.delivery.push_lease_seconds
    ingress_settings               = each.value.called_by == "callers" ? "ALLOW_ALL" : "ALLOW_INTERNAL_ONLY"
    all_traffic_on_latest_revision = true
    service_account_email          = google_service_account.this[each.key].email
    environment_variables          = merge(local.environment, local.called_environment[each.key])

    dynamic "secret_environment_variables" {
      for_each = toset(local.components[each.key].secrets)
      content {
        key        = local.secret_variables[secret_environment_variables.value]
        project_id = var.project_id
        secret     = google_secret_manager_secret.this[secret_environment_variables.value].secret_id
        version    = var.secret_versions[secret_environment_variables.value]
      }
    }
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.build_pushes,
    google_project_iam_member.build_logs,
    google_project_iam_member.build_reads_copies,
    google_secret_manager_secret_iam_member.reads,
    google_storage_bucket_iam_member.build_stores,
  ]
}

locals {
  invokers = merge(
    { for name, each in local.functions : "${name}/${each.called_by}" => { name = name, member = google_service_account.this[each.called_by].member } if each.called_by != "callers" },
    local.is_released ? { for member in var.callers : "submit/${member}" => { name = "submit", member = member } } : {},
    local.is_released && var.public_api ? { "submit/allUsers" = { name = "submit", member = "allUsers" } } : {},
  )
}

# A function of the second generation is a Cloud Run service; who may call it is said there.
resource "google_cloud_run_v2_service_iam_member" "invokes" {
  for_each = local.invokers
  name     = google_cloudfunctions2_function.this[each.value.name].name
  location = var.region
  role     = "roles/run.invoker"
  member   = each.value.member
}
