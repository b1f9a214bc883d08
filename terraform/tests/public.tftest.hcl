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

run "nothing_is_public_by_accident" {
  assert {
    condition     = !anytrue([for each in google_cloud_run_v2_service_iam_member.invokes : contains(["allUsers", "allAuthenticatedUsers"], each.member)])
    error_message = "Everybody may call only where public_api was said."
  }
  assert {
    condition     = toset([for name, each in google_cloudfunctions2_function.this : name if each.service_config[0].ingress_settings != "ALLOW_INTERNAL_ONLY"]) == toset(["submit"])
    error_message = "Only the API is reached from outside."
  }
  assert {
    condition     = alltrue([for each in concat(values(google_storage_bucket.this), [google_storage_bucket.source, google_storage_bucket.state]) : each.public_access_prevention == "enforced" && each.uniform_bucket_level_access])
    error_message = "No bucket can be opened to everybody."
  }
  assert {
    condition     = alltrue([for each in google_storage_bucket.this : length(each.cors) == 0])
    error_message = "No other page may use the buckets' links unless it was named."
  }
  assert {
    condition     = google_cloud_run_v2_service.crema[0].ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY"
    error_message = "The autoscaler is called from inside."
  }
}

run "public_is_a_word_that_somebody_typed" {
  variables {
    public_api = true
  }
  assert {
    condition     = [for each in google_cloud_run_v2_service_iam_member.invokes : each.name if each.member == "allUsers"] == ["pagemill-submit"]
    error_message = "The API alone becomes public."
  }
}

run "named_pages_may_use_links" {
  variables {
    page_origins = ["https://app.example.com"]
  }
  assert {
    condition     = google_storage_bucket.this["uploads"].cors[0].method == tolist(["PUT"]) && google_storage_bucket.this["data"].cors[0].method == tolist(["GET"]) && length(google_storage_bucket.this["inbox"].cors) + length(google_storage_bucket.this["outbox"].cors) == 0
    error_message = "Uploads are put, results are read, and the rest is nobody's page's."
  }
}

run "vms_have_no_address_and_let_nobody_in" {
  variables {
    worker_backend = "vms"
  }
  assert {
    condition     = length(google_compute_instance_template.worker[0].network_interface[0].access_config) == 0
    error_message = "No address of the internet."
  }
  assert {
    condition     = one(google_compute_firewall.nobody[0].deny).protocol == "all" && length(google_compute_firewall.nobody[0].allow) == 0
    error_message = "No rule lets anybody in."
  }
  assert {
    condition     = google_compute_subnetwork.this[0].private_ip_google_access
    error_message = "Without an address Google's services are reached by their private way, or not at all."
  }
}
