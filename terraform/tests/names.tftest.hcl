mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "424242424242" }
  }
  mock_data "google_storage_project_service_account" {
    defaults = { email_address = "service-424242424242@gs-project-accounts.iam.gserviceaccount.com" }
  }
}

variables {
  project_id      = "demo-project"
  billing_account = "0A1B2C-3D4E5F-678901"
  alert_email     = "operators@example.com"
  release         = "v1"
}

run "everything_is_named_after_the_installation" {
  variables {
    name = "second"
  }
  assert {
    condition     = alltrue([for kind, each in google_storage_bucket.this : each.name == "demo-project-second-${kind}"])
    error_message = "A bucket is named by project, installation and kind."
  }
  assert {
    condition     = alltrue([for topic, each in google_pubsub_topic.this : each.name == "second-${topic}"])
    error_message = "shared/adapters/google/names.py puts the prefix before the topic."
  }
  assert {
    condition     = alltrue([for topic, each in google_pubsub_subscription.this : each.name == "second-${topic}"]) && google_pubsub_subscription.dead_letters.name == "second-dead-letters"
    error_message = "A subscription is called as its topic."
  }
  assert {
    condition     = alltrue([for name, each in google_cloudfunctions2_function.this : each.name == "second-${name}" && each.build_config[0].entry_point == name])
    error_message = "A function is named by its entry point."
  }
  assert {
    condition     = google_firestore_database.this.name == "second"
    error_message = "Each installation has a database of its own."
  }
  assert {
    condition     = alltrue([for each in google_service_account.this : startswith(each.account_id, "second-") && length(each.account_id) <= 30])
    error_message = "Google's limit for an account's name is 30."
  }
}

run "processes_are_told_what_things_are_called" {
  assert {
    condition = alltrue([for each in google_cloudfunctions2_function.this : (
      each.service_config[0].environment_variables.PAGEMILL_NAMES == "pagemill" &&
      each.service_config[0].environment_variables.PAGEMILL_DATABASE == google_firestore_database.this.name &&
      each.service_config[0].environment_variables.PAGEMILL_BUCKET == google_storage_bucket.this["data"].name &&
      each.service_config[0].environment_variables.PAGEMILL_INBOX_BUCKET == google_storage_bucket.this["inbox"].name &&
      each.service_config[0].environment_variables.PAGEMILL_UPLOADS_BUCKET == google_storage_bucket.this["uploads"].name &&
      each.service_config[0].environment_variables.PAGEMILL_OUTBOX_BUCKET == google_storage_bucket.this["outbox"].name
    )])
    error_message = "Each function is told the names that were made."
  }
  assert {
    condition = alltrue([for topic, each in google_pubsub_subscription.this : (
      local.topics[topic].pushed_to == null ? length(each.push_config) == 0 :
      each.push_config[0].oidc_token[0].audience == google_cloudfunctions2_function.this[local.topics[topic].pushed_to].service_config[0].environment_variables.PAGEMILL_PUSH_AUDIENCE &&
      each.push_config[0].push_endpoint == "https://pagemill-${local.topics[topic].pushed_to}-424242424242.europe-west4.run.app" &&
      each.push_config[0].oidc_token[0].service_account_email == google_cloudfunctions2_function.this[local.topics[topic].pushed_to].service_config[0].environment_variables.PAGEMILL_PUSH_ACCOUNT
    )])
    error_message = "A push carries the account and the audience that its function asks for."
  }
  assert {
    condition     = google_cloud_scheduler_job.sweep[0].http_target[0].oidc_token[0].audience == google_cloudfunctions2_function.this["sweep"].service_config[0].environment_variables.PAGEMILL_PUSH_AUDIENCE
    error_message = "So does the scheduler's call."
  }
  assert {
    condition     = google_cloudfunctions2_function.this["drop"].service_config[0].environment_variables.PAGEMILL_PUSH_ACCOUNT == google_eventarc_trigger.inbox[0].service_account
    error_message = "And the bucket's event."
  }
}

run "messages_are_delivered_until_somebody_must_look" {
  assert {
    condition = alltrue([for topic, each in google_pubsub_subscription.this : (
      each.ack_deadline_seconds == (length(each.push_config) == 1 ? 600 : 60) &&
      each.expiration_policy[0].ttl == "" &&
      each.dead_letter_policy[0].max_delivery_attempts == 100 &&
      each.dead_letter_policy[0].dead_letter_topic == google_pubsub_topic.this["dead-letters"].id &&
      each.retry_policy[0].minimum_backoff == "1s" && each.retry_policy[0].maximum_backoff == "60s"
    )])
    error_message = "Lease, expiry, dead letters and pauses are those of shared/adapters/google/provision.py."
  }
  assert {
    condition     = google_pubsub_subscription.dead_letters.expiration_policy[0].ttl == ""
    error_message = "Dead letters must not lose their subscription."
  }
  assert {
    condition     = alltrue([for name, each in google_cloudfunctions2_function.this : name == "submit" || each.service_config[0].max_instance_request_concurrency == 8])
    error_message = "A function is pushed no more at once than shared/push.py takes."
  }
  assert {
    condition     = alltrue([for each in google_cloudfunctions2_function.this : each.service_config[0].timeout_seconds <= 600])
    error_message = "A push must not outlive its lease."
  }
}

run "erasing_is_erasing" {
  assert {
    condition     = alltrue([for each in google_storage_bucket.this : each.versioning[0].enabled == false && each.soft_delete_policy[0].retention_duration_seconds == 0])
    error_message = "No bucket of documents keeps what was erased."
  }
  assert {
    condition     = google_firestore_database.this.point_in_time_recovery_enablement == "POINT_IN_TIME_RECOVERY_DISABLED"
    error_message = "Nor does the database."
  }
  assert {
    condition     = length([for rule in google_storage_bucket.this["data"].lifecycle_rule : rule if one(rule.condition).matches_prefix == tolist(["cache/"]) && one(rule.condition).age == 31]) == 1
    error_message = "What was read ends a day after the cache's days."
  }
  assert {
    condition     = length([for rule in google_storage_bucket.this["uploads"].lifecycle_rule : rule if one(rule.condition).matches_prefix == tolist(["uploads/"]) && one(rule.condition).age == 14]) == 1
    error_message = "An upload, and the notes in used/, end whatever happens."
  }
  assert {
    condition     = toset([for key, each in google_firestore_field.this : key if length(each.ttl_config) == 1]) == toset(["jobs.ttl", "keys.ttl", "batches.ttl", "ledger.ttl"])
    error_message = "Records end by themselves where sweep never comes."
  }
}
