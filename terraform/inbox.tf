# An object that is finished in the inbox calls drop. Eventarc repeats itself, for a day; drop knows what it has seen.
resource "google_eventarc_trigger" "inbox" {
  count           = local.is_released ? 1 : 0
  name            = "${var.name}-inbox"
  location        = var.region # the bucket's
  service_account = google_service_account.this["events"].email

  # Of a bucket's events nothing narrower can be asked for: so the inbox is a bucket, not a prefix.
  matching_criteria {
    attribute = "type"
    value     = "google.cloud.storage.object.v1.finalized"
  }
  matching_criteria {
    attribute = "bucket"
    value     = google_storage_bucket.this["inbox"].name
  }
  destination {
    cloud_run_service {
      service = google_cloudfunctions2_function.this["drop"].name
      region  = var.region
    }
  }

  depends_on = [
    google_project_iam_member.storage_publishes,
    google_project_iam_member.eventarc_agent,
    google_project_iam_member.events_receives,
    google_cloud_run_v2_service_iam_member.invokes,
  ]
}

resource "google_project_iam_member" "events_receives" {
  project = var.project_id
  role    = "roles/eventarc.eventReceiver"
  member  = google_service_account.this["events"].member
}

# Cloud Storage's own account tells of the objects; the topic that it tells is Eventarc's, which makes it later.
resource "google_project_iam_member" "storage_publishes" {
  project = var.project_id
  role    = "roles/pubsub.publisher"
  member  = local.agents.storage
}

resource "google_project_iam_member" "eventarc_agent" {
  project = var.project_id
  role    = "roles/eventarc.serviceAgent"
  member  = local.agents.eventarc
}
