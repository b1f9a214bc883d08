locals {
  day = 24 * 60 * 60

  # What goes by itself, and after how many days. `data` and `uploads` are erased by sweep, with their jobs: these rules
  # are for what it can't know of any more. Everything under uploads/ includes the notes in uploads/{tenant}/used/.
  lifecycle = {
    data = {
      "cache/" = ceil(var.cache_days) + 1       # a day after the code takes none of it any more
      "jobs/"  = ceil(var.retention_days) + 365 # a job may be retried, and lives on, as long as its key does
    }
    inbox   = { "inbox/" = var.inbox_days }
    uploads = { "uploads/" = var.uploads_days }
    outbox  = { "outbox/" = var.outbox_days }
  }

  bucket_roles = {
    viewer  = "roles/storage.objectViewer"
    creator = "roles/storage.objectCreator"
    user    = "roles/storage.objectUser"
  }

  bucket_rights = merge([
    for name, rights in local.components : merge([
      for bucket, roles in rights.buckets : { for role in roles : "${name}/${bucket}/${role}" => { name = name, bucket = bucket, role = role } }
    ]...)
  ]...)
}

resource "google_storage_bucket" "this" {
  # checkov:skip=CKV_GCP_78: an old version would outlive the erasing of its document (docs/decisions/0014-deployment.md)
  for_each                    = local.buckets
  name                        = each.value
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.is_protected
  depends_on                  = [google_project_service.api]

  # Who asks for a document to be erased has it erased: no version and no soft-deleted copy outlives it.
  versioning {
    enabled = false
  }
  soft_delete_policy {
    retention_duration_seconds = 0
  }

  dynamic "lifecycle_rule" {
    for_each = local.lifecycle[each.key]
    content {
      condition {
        age            = lifecycle_rule.value
        matches_prefix = [lifecycle_rule.key]
      }
      action {
        type = "Delete"
      }
    }
  }

  lifecycle_rule {
    condition {
      age = 2
    }
    action {
      type = "AbortIncompleteMultipartUpload"
    }
  }

  # Links are for whoever holds them; a browser asks the bucket first whether a page may use them.
  dynamic "cors" {
    for_each = contains(["data", "uploads"], each.key) && length(var.page_origins) > 0 ? [var.page_origins] : []
    content {
      origin          = sort(cors.value)
      method          = each.key == "uploads" ? ["PUT"] : ["GET"]
      response_header = ["Content-Type", "x-goog-content-length-range", "x-goog-if-generation-match"]
      max_age_seconds = 3600
    }
  }
}

resource "google_storage_bucket_iam_member" "component" {
  for_each = local.bucket_rights
  bucket   = google_storage_bucket.this[each.value.bucket].name
  role     = local.bucket_roles[each.value.role]
  member   = google_service_account.this[each.value.name].member
}
