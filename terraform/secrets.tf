# Empty boxes: the first build fills them with random bytes that nobody has seen, and that no Terraform state holds.
resource "google_secret_manager_secret" "this" {
  for_each            = var.secret_versions
  secret_id           = "${var.name}-${each.key}"
  deletion_protection = var.is_protected
  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
  depends_on = [google_project_service.api]
}

locals {
  secret_readers = merge([
    for name, rights in local.components : { for secret in rights.secrets : "${name}/${secret}" => { name = name, secret = secret } }
  ]...)
}

resource "google_secret_manager_secret_iam_member" "reads" {
  for_each  = local.secret_readers
  secret_id = google_secret_manager_secret.this[each.value.secret].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this[each.value.name].member
}
