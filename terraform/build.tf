# What a build stores, and as whom. Nothing that was stored changes: tags can't be moved, archives are made once.
resource "google_artifact_registry_repository" "images" {
  repository_id = var.name
  location      = var.region
  format        = "DOCKER"
  docker_config {
    immutable_tags = true
  }
  cleanup_policies {
    id     = "keep-the-newest"
    action = "KEEP"
    most_recent_versions {
      keep_count = var.kept_releases
    }
  }
  cleanup_policies {
    id     = "delete-the-rest"
    action = "DELETE"
    condition {
      tag_state  = "ANY"
      older_than = "${30 * local.day}s"
    }
  }
  vulnerability_scanning_config {
    enablement_config = "INHERITED"
  }
  depends_on = [google_project_service.api]
}

# Google's builds of functions move their tags, and so have a repository of their own.
resource "google_artifact_registry_repository" "functions" {
  repository_id = "${var.name}-functions"
  location      = var.region
  format        = "DOCKER"
  cleanup_policies {
    id     = "keep-the-newest"
    action = "KEEP"
    most_recent_versions {
      keep_count = var.kept_releases
    }
  }
  cleanup_policies {
    id     = "delete-the-rest"
    action = "DELETE"
    condition {
      tag_state  = "ANY"
      older_than = "${30 * local.day}s"
    }
  }
  vulnerability_scanning_config {
    enablement_config = "INHERITED"
  }
  depends_on = [google_project_service.api]
}

resource "google_storage_bucket" "source" {
  name                        = "${var.project_id}-${var.name}-source"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true # what is in it can be built again
  versioning {
    enabled = true # each object is made once; who replaces one all the same leaves a trace
  }
  # What `gcloud builds submit` sends is of use for the build alone.
  lifecycle_rule {
    condition {
      age            = 7
      matches_prefix = ["staging/"]
    }
    action {
      type = "Delete"
    }
  }
  lifecycle_rule {
    condition {
      days_since_noncurrent_time = 1
      matches_prefix             = ["staging/"]
    }
    action {
      type = "Delete"
    }
  }
  depends_on = [google_project_service.api]
}

# Terraform's state, once there is more than one who applies. It holds no secret and no document.
resource "google_storage_bucket" "state" {
  name                        = "${var.project_id}-${var.name}-state"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false
  versioning {
    enabled = true
  }
  lifecycle_rule {
    condition {
      num_newer_versions = 30
    }
    action {
      type = "Delete"
    }
  }
  depends_on = [google_project_service.api]
}

resource "google_project_iam_member" "build_logs" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = google_service_account.this["build"].member
}

resource "google_artifact_registry_repository_iam_member" "build_pushes" {
  for_each   = { images = google_artifact_registry_repository.images.name, functions = google_artifact_registry_repository.functions.name }
  repository = each.value
  location   = var.region
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.this["build"].member
}

# `gcloud builds submit` puts the source here too, and the build of a function reads its archive.
resource "google_storage_bucket_iam_member" "build_stores" {
  for_each = toset(["roles/storage.objectCreator", "roles/storage.objectViewer"])
  bucket   = google_storage_bucket.source.name
  role     = each.value
  member   = google_service_account.this["build"].member
}

# Cloud Functions copies a source into a bucket that it makes, and builds from there. Of the project's buckets this account
# reads that one: the documents' are none of its business.
resource "google_project_iam_member" "build_reads_copies" {
  project = var.project_id
  role    = "roles/storage.objectViewer"
  member  = google_service_account.this["build"].member
  condition {
    title      = "Cloud Functions' sources only"
    expression = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${local.number}-\")"
  }
}

# The first build fills the empty secrets; it can add to them, and read none.
resource "google_secret_manager_secret_iam_member" "build_fills" {
  for_each  = { for pair in setproduct(keys(var.secret_versions), ["roles/secretmanager.secretVersionAdder", "roles/secretmanager.viewer"]) : "${pair[0]}/${pair[1]}" => { secret = pair[0], role = pair[1] } }
  secret_id = google_secret_manager_secret.this[each.value.secret].id
  role      = each.value.role
  member    = google_service_account.this["build"].member
}

resource "google_cloudbuild_trigger" "release" {
  count           = var.github == null ? 0 : 1
  name            = "${var.name}-release"
  location        = var.region
  filename        = "cloudbuild.yaml"
  service_account = google_service_account.this["build"].id
  github {
    owner = var.github.owner
    name  = var.github.name
    push {
      tag = var.github.tag
    }
  }
  substitutions = {
    _REGION     = var.region
    _NAME       = var.name
    _RELEASE    = "$SHORT_SHA"
    _VLM_SOURCE = var.vlm_source
    _DEPLOY     = tostring(var.build_deploys)
  }
  approval_config {
    approval_required = var.build_deploys
  }
  depends_on = [google_project_service.api]
}
