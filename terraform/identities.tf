# One account a component, so that what a document or a caller takes over can do no more than that component's work.
# Which rights each needs was derived from its code: docs/decisions/0008-google-adapters.md has the table, pipeline.json
# the same as data, and a test holds them together.
locals {
  components = local.pipeline.rights

  accounts = merge(
    {
      submit  = "The HTTP API, which faces callers"
      drop    = "Starts what the inbox's objects ask for"
      prepare = "Fetches and opens documents"
      worker  = "Reads pages, with the GPU"
      notify  = "Fills the outbox and sends callbacks"
      sweep   = "Heals what is overdue, and erases"
      push    = "As whom Pub/Sub and the scheduler call functions"
      events  = "As whom Eventarc calls drop"
      build   = "Cloud Build: tests, builds and stores"
    },
    var.worker_backend == "pool" ? { scaler = "Sizes the worker pool" } : {},
    var.build_deploys ? { deploy = "As whom a build brings its release into operation" } : {},
  )
}

resource "google_service_account" "this" {
  for_each     = local.accounts
  account_id   = "${var.name}-${each.key}"
  display_name = each.value
  depends_on   = [google_project_service.api]
}

# Firestore has no rights below the database; this one is held to ours by a condition.
resource "google_project_iam_member" "database" {
  for_each = local.components
  project  = var.project_id
  role     = "roles/datastore.user"
  member   = google_service_account.this[each.key].member
  condition {
    title      = "${var.name} only"
    expression = "resource.name == \"projects/${var.project_id}/databases/${var.name}\""
  }
}

# Links are signed by IAM, as the account itself: there is no key file.
resource "google_service_account_iam_member" "signs" {
  for_each           = { for name, rights in local.components : name => rights if rights.signs }
  service_account_id = google_service_account.this[each.key].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = google_service_account.this[each.key].member
}
