# With build_deploys: what a build needs to bring its release into operation, and nothing to change rights with. Where a
# release changes more than code, its apply fails for want of rights, and a person applies. The budget hangs on the billing account, which has its own
# rights: whoever administrates that lets this account look at it (docs/operate/deploy.md).
locals {
  deploy_roles = !var.build_deploys ? [] : concat(
    ["roles/viewer", "roles/iam.securityReviewer", "roles/cloudfunctions.developer", "roles/run.developer"],
    ["roles/serviceusage.serviceUsageConsumer"], # calls are billed to the project, which is a right of its own (versions.tf)
    var.worker_backend == "pool" ? ["roles/parametermanager.parameterViewer"] : [],
    var.worker_backend == "vms" ? ["roles/compute.instanceAdmin.v1"] : [],
  )
}

resource "google_project_iam_member" "deploy" {
  for_each = toset(local.deploy_roles)
  project  = var.project_id
  role     = each.value
  member   = google_service_account.this["deploy"].member
}

resource "google_service_account_iam_member" "deploy_as" {
  for_each           = var.build_deploys ? toset(concat(keys(local.components), ["build"])) : toset([])
  service_account_id = google_service_account.this[each.value].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.this["deploy"].member
}

resource "google_storage_bucket_iam_member" "deploy_state" {
  count  = var.build_deploys ? 1 : 0
  bucket = google_storage_bucket.state.name
  role   = "roles/storage.objectUser"
  member = google_service_account.this["deploy"].member
}

# The build borrows this account for its last step alone.
resource "google_service_account_iam_member" "build_borrows" {
  count              = var.build_deploys ? 1 : 0
  service_account_id = google_service_account.this["deploy"].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = google_service_account.this["build"].member
}
