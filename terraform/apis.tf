locals {
  apis = toset(concat([
    "artifactregistry", "billingbudgets", "cloudbuild", "cloudfunctions", "cloudresourcemanager", "cloudscheduler",
    "eventarc", "firestore", "iam", "iamcredentials", "logging", "monitoring", "pubsub", "run", "secretmanager",
    "storage",
    ],
    var.worker_backend == "pool" ? ["parametermanager"] : [],
  var.worker_backend == "vms" ? ["compute"] : []))
}

resource "google_project_service" "api" {
  for_each = local.apis
  service  = "${each.value}.googleapis.com"
  # Others of this project may use it as well.
  disable_on_destroy = false
}
