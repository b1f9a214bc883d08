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

# What each identity may do, written down a second time: a right more or less than here is a mistake in one of the two.
run "each_identity_has_its_rights_and_no_other" {
  variables {
    callers = ["group:callers@example.com"]
  }
  assert {
    condition = alltrue([for name, expected in {
      submit  = ["data roles/storage.objectViewer", "uploads roles/storage.objectCreator"]
      drop    = ["inbox roles/storage.objectViewer", "uploads roles/storage.objectCreator", "outbox roles/storage.objectCreator", "outbox roles/storage.objectViewer"]
      prepare = ["data roles/storage.objectCreator", "data roles/storage.objectViewer", "inbox roles/storage.objectViewer", "uploads roles/storage.objectViewer"]
      worker  = ["data roles/storage.objectCreator", "data roles/storage.objectViewer"]
      notify  = ["data roles/storage.objectViewer", "outbox roles/storage.objectCreator", "outbox roles/storage.objectViewer"]
      sweep   = ["data roles/storage.objectUser", "inbox roles/storage.objectViewer", "uploads roles/storage.objectUser", "outbox roles/storage.objectCreator", "outbox roles/storage.objectViewer"]
      push    = []
      events  = []
      build   = []
      scaler  = []
    } : toset([for each in google_storage_bucket_iam_member.component : "${trimprefix(each.bucket, "demo-project-pagemill-")} ${each.role}" if each.member == google_service_account.this[name].member]) == toset(expected)])
    error_message = "Rights to documents' buckets."
  }
  assert {
    condition = alltrue([for name, expected in {
      submit  = ["documents", "pages-express", "pages-bulk", "outcomes"]
      drop    = ["documents", "outcomes"]
      prepare = ["pages-express", "pages-bulk", "outcomes"]
      worker  = ["outcomes"]
      notify  = []
      sweep   = ["documents", "pages-express", "pages-bulk", "outcomes"]
      push    = []
      events  = []
      build   = []
      scaler  = []
    } : toset([for each in google_pubsub_topic_iam_member.publishes : trimprefix(each.topic, "pagemill-") if each.member == google_service_account.this[name].member]) == toset(expected)])
    error_message = "Rights to publish."
  }
  assert {
    condition     = alltrue([for each in google_pubsub_topic_iam_member.publishes : each.role == "roles/pubsub.publisher"])
    error_message = "Publishing is all that they may do with a topic."
  }
  assert {
    condition     = toset([for each in google_pubsub_subscription_iam_member.pulls : "${each.subscription} ${each.role} ${each.member == google_service_account.this["worker"].member}"]) == toset(["pagemill-pages-bulk roles/pubsub.subscriber true", "pagemill-pages-express roles/pubsub.subscriber true"])
    error_message = "The worker pulls pages, nobody else pulls, and it pulls nothing else."
  }
  assert {
    condition = alltrue([for name, expected in {
      submit  = ["sealing-key"]
      drop    = ["sealing-key"]
      prepare = ["sealing-key"]
      worker  = []
      notify  = ["callback-secret"]
      sweep   = ["sealing-key"]
      push    = []
      events  = []
      scaler  = []
    } : toset([for key, each in google_secret_manager_secret_iam_member.reads : split("/", key)[1] if each.member == google_service_account.this[name].member]) == toset(expected)])
    error_message = "Rights to read secrets."
  }
  assert {
    condition     = toset([for each in google_service_account_iam_member.signs : each.member]) == toset([google_service_account.this["submit"].member, google_service_account.this["notify"].member]) && alltrue([for key, each in google_service_account_iam_member.signs : each.service_account_id == google_service_account.this[key].name])
    error_message = "Two sign links, each as itself."
  }
  assert {
    condition     = toset(keys(google_project_iam_member.database)) == toset(["submit", "drop", "prepare", "worker", "notify", "sweep"]) && alltrue([for each in google_project_iam_member.database : each.role == "roles/datastore.user" && one(each.condition).expression == "resource.name == \"projects/demo-project/databases/pagemill\""])
    error_message = "The six components use one database, ours."
  }
  assert {
    condition = toset([for key, each in google_cloud_run_v2_service_iam_member.invokes : "${each.name} ${each.member}"]) == toset([
      "pagemill-submit group:callers@example.com",
      "pagemill-drop ${google_service_account.this["events"].member}",
      "pagemill-prepare ${google_service_account.this["push"].member}",
      "pagemill-notify ${google_service_account.this["push"].member}",
      "pagemill-sweep ${google_service_account.this["push"].member}",
    ])
    error_message = "Who may call which function."
  }
  assert {
    condition     = toset([for each in google_project_iam_member.scaler : each.role]) == toset(["roles/monitoring.viewer", "roles/parametermanager.parameterViewer"]) && google_cloud_run_v2_worker_pool_iam_member.scales[0].role == "roles/run.developer"
    error_message = "The autoscaler reads figures and its parameter, and changes one pool."
  }
  assert {
    condition = (
      google_project_iam_member.build_logs.role == "roles/logging.logWriter" &&
      google_project_iam_member.build_reads_copies.role == "roles/storage.objectViewer" &&
      one(google_project_iam_member.build_reads_copies.condition).expression == "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-424242424242-\")" &&
      toset([for each in google_storage_bucket_iam_member.build_stores : "${each.bucket} ${each.role}"]) == toset(["demo-project-pagemill-source roles/storage.objectCreator", "demo-project-pagemill-source roles/storage.objectViewer"]) &&
      toset([for each in google_artifact_registry_repository_iam_member.build_pushes : "${each.repository} ${each.role}"]) == toset(["${google_artifact_registry_repository.images.name} roles/artifactregistry.writer", "${google_artifact_registry_repository.functions.name} roles/artifactregistry.writer"]) &&
      toset([for each in google_secret_manager_secret_iam_member.build_fills : each.role]) == toset(["roles/secretmanager.secretVersionAdder", "roles/secretmanager.viewer"])
    )
    error_message = "A build reads no document and no secret, and replaces nothing that was stored."
  }
  assert {
    condition     = length(google_project_iam_member.deploy) + length(google_service_account_iam_member.build_borrows) + length(google_project_iam_member.vm_logs) == 0
    error_message = "A build deploys only where that was asked for."
  }
}

run "dead_letters_are_moved_by_googles_own_account" {
  assert {
    condition     = google_pubsub_topic_iam_member.buries.member == "serviceAccount:service-424242424242@gcp-sa-pubsub.iam.gserviceaccount.com" && google_pubsub_topic_iam_member.buries.topic == "pagemill-dead-letters" && google_pubsub_topic_iam_member.buries.role == "roles/pubsub.publisher"
    error_message = "It publishes dead letters."
  }
  assert {
    condition     = toset([for each in google_pubsub_subscription_iam_member.buries : "${each.subscription} ${each.role} ${each.member}"]) == toset([for topic in ["documents", "outcomes", "pages-bulk", "pages-express"] : "pagemill-${topic} roles/pubsub.subscriber serviceAccount:service-424242424242@gcp-sa-pubsub.iam.gserviceaccount.com"])
    error_message = "And takes them off each subscription."
  }
  assert {
    condition     = google_project_iam_member.storage_publishes.member == "serviceAccount:service-424242424242@gs-project-accounts.iam.gserviceaccount.com" && google_project_iam_member.eventarc_agent.member == "serviceAccount:service-424242424242@gcp-sa-eventarc.iam.gserviceaccount.com"
    error_message = "Cloud Storage tells of objects, Eventarc delivers that."
  }
}

run "a_build_that_deploys_may_change_code_and_no_rights" {
  variables {
    build_deploys = true
  }
  assert {
    condition     = toset([for each in google_project_iam_member.deploy : each.role]) == toset(["roles/viewer", "roles/iam.securityReviewer", "roles/cloudfunctions.developer", "roles/run.developer", "roles/serviceusage.serviceUsageConsumer", "roles/parametermanager.parameterViewer"])
    error_message = "No role here may set a policy."
  }
  assert {
    condition     = google_service_account_iam_member.build_borrows[0].member == google_service_account.this["build"].member && google_service_account_iam_member.build_borrows[0].service_account_id == google_service_account.this["deploy"].name
    error_message = "The build borrows the account for its last step."
  }
}

run "nobody_may_call_what_nobody_was_let_into" {
  assert {
    condition     = length([for key, each in google_cloud_run_v2_service_iam_member.invokes : key if each.name == "pagemill-submit"]) == 0
    error_message = "Without callers the API is closed."
  }
}
