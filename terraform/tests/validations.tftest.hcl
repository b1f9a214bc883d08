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

run "a_project_id_is_one" {
  command = plan
  variables {
    project_id = "Demo"
  }
  expect_failures = [var.project_id]
}

run "a_region_has_gpus" {
  command = plan
  variables {
    region = "europe-north1"
  }
  expect_failures = [var.region]
}

run "a_zone_is_a_letter" {
  command = plan
  variables {
    zone = "europe-west4-a"
  }
  expect_failures = [var.zone]
}

run "a_name_leaves_room" {
  command = plan
  variables {
    name = "an-installation-with-a-long-name"
  }
  expect_failures = [var.name]
}

run "a_release_is_a_name" {
  command = plan
  variables {
    release = "V1/x"
  }
  expect_failures = [var.release]
}

run "a_vlm_release_is_a_name" {
  command = plan
  variables {
    vlm_release = "a b"
  }
  expect_failures = [var.vlm_release]
}

run "a_backend_is_known" {
  command = plan
  variables {
    worker_backend = "service"
  }
  expect_failures = [var.worker_backend]
}

run "a_gpu_is_known" {
  command = plan
  variables {
    gpu                = "nvidia-a100"
    price_per_gpu_hour = 1
  }
  expect_failures = [var.gpu]
}

run "a_larger_gpu_is_not_everywhere" {
  command = plan
  variables {
    gpu                = "nvidia-rtx-pro-6000"
    region             = "europe-west1"
    price_per_gpu_hour = 3
  }
  expect_failures = [var.gpu]
}

run "a_gpu_without_a_list_price_is_given_one" {
  command = plan
  variables {
    gpu = "nvidia-rtx-pro-6000"
  }
  expect_failures = [var.price_per_gpu_hour]
}

run "a_worker_is_as_large_as_cloud_run_allows" {
  command = plan
  variables {
    worker_size = { worker_cpu = 8, worker_gib = 16, vlm_cpu = 8, vlm_gib = 16 }
  }
  expect_failures = [var.worker_size]
}

run "a_larger_gpus_worker_is_as_large_as_cloud_run_asks_for" {
  command = plan
  variables {
    gpu                = "nvidia-rtx-pro-6000"
    price_per_gpu_hour = 3
    worker_size        = { worker_cpu = 4, worker_gib = 8, vlm_cpu = 4, vlm_gib = 16 }
  }
  expect_failures = [var.worker_size]
}

run "an_autoscalers_image_has_a_version" {
  command = plan
  variables {
    autoscaler_image = "registry/autoscaler:latest"
  }
  expect_failures = [var.autoscaler_image]
}

run "a_boot_image_is_googles" {
  command = plan
  variables {
    vm_image = "projects/somebody/global/images/cos-stable"
  }
  expect_failures = [var.vm_image]
}

run "vms_come_with_an_l4" {
  command = plan
  variables {
    price_per_gpu_hour = 3
    gpu                = "nvidia-rtx-pro-6000"
    worker_backend     = "vms"
  }
  expect_failures = [var.gpu]
}

run "callers_are_not_everybody" {
  command = plan
  variables {
    callers = ["allUsers"]
  }
  expect_failures = [var.callers]
}

run "callers_are_not_everybody_with_an_account" {
  command = plan
  variables {
    callers = ["allAuthenticatedUsers"]
  }
  expect_failures = [var.callers]
}

run "origins_have_no_asterisk" {
  command = plan
  variables {
    page_origins = ["https://*.example.com"]
  }
  expect_failures = [var.page_origins]
}

run "gpus_are_limited" {
  command = plan
  variables {
    max_gpus = 1000
  }
  expect_failures = [var.max_gpus]
}

run "there_is_a_gpu" {
  command = plan
  variables {
    max_gpus = 0
  }
  expect_failures = [var.max_gpus]
}

run "the_backlog_of_a_gpu_is_whole" {
  command = plan
  variables {
    ranges_per_gpu = 0.5
  }
  expect_failures = [var.ranges_per_gpu]
}

run "gpus_do_not_idle_for_a_day" {
  command = plan
  variables {
    idle_minutes = 1440
  }
  expect_failures = [var.idle_minutes]
}

run "images_need_room" {
  command = plan
  variables {
    vm_disk_gb = 20
  }
  expect_failures = [var.vm_disk_gb]
}

run "all_functions_have_a_size" {
  command = plan
  variables {
    functions = { submit = { memory = "1Gi", cpu = 1, max_instances = 10 } }
  }
  expect_failures = [var.functions]
}

run "pages_are_limited" {
  command = plan
  variables {
    max_pages = 0
  }
  expect_failures = [var.max_pages]
}

run "documents_are_limited" {
  command = plan
  variables {
    max_bytes = 100000000000
  }
  expect_failures = [var.max_bytes]
}

run "a_job_ends_before_its_messages" {
  command = plan
  variables {
    deadline_hours = 200
    inbox_days     = 60
    uploads_days   = 60
  }
  expect_failures = [var.deadline_hours]
}

run "results_end" {
  command = plan
  variables {
    retention_days = 0
  }
  expect_failures = [var.retention_days]
}

run "cached_pages_end" {
  command = plan
  variables {
    cache_days = 1000
  }
  expect_failures = [var.cache_days]
}

run "the_inbox_outlives_a_job" {
  command = plan
  variables {
    inbox_days = 1
  }
  expect_failures = [var.inbox_days]
}

run "the_outbox_ends" {
  command = plan
  variables {
    outbox_days = 0
  }
  expect_failures = [var.outbox_days]
}

run "an_upload_outlives_its_job" {
  command = plan
  variables {
    uploads_days = 2
  }
  expect_failures = [var.uploads_days]
}

run "there_is_a_release_to_go_back_to" {
  command = plan
  variables {
    kept_releases = 1
  }
  expect_failures = [var.kept_releases]
}

run "a_log_level_is_known" {
  command = plan
  variables {
    log_level = "TRACE"
  }
  expect_failures = [var.log_level]
}

run "no_budget_is_a_word" {
  command = plan
  variables {
    billing_account = ""
  }
  expect_failures = [var.billing_account]
}

run "a_budget_is_a_sum" {
  command = plan
  variables {
    budget = 0
  }
  expect_failures = [var.budget]
}

run "an_address_is_one" {
  command = plan
  variables {
    alert_email = "operators"
  }
  expect_failures = [var.alert_email]
}

run "a_gpu_costs_something" {
  command = plan
  variables {
    price_per_gpu_hour = 0
  }
  expect_failures = [var.price_per_gpu_hour]
}

run "a_day_costs_something" {
  command = plan
  variables {
    alert_cost_a_day = 0
  }
  expect_failures = [var.alert_cost_a_day]
}

run "a_cold_start_is_no_alert" {
  command = plan
  variables {
    alert_backlog_minutes = 1
  }
  expect_failures = [var.alert_backlog_minutes]
}

run "failed_pages_are_counted" {
  command = plan
  variables {
    alert_failed_pages = 0
  }
  expect_failures = [var.alert_failed_pages]
}

run "a_share_is_below_one" {
  command = plan
  variables {
    alert_gpu_busy_share = 1
  }
  expect_failures = [var.alert_gpu_busy_share]
}

run "a_secrets_version_is_a_number" {
  command = plan
  variables {
    secret_versions = { "sealing-key" = "latest", "callback-secret" = "1" }
  }
  expect_failures = [var.secret_versions]
}

run "an_image_is_named_by_digest" {
  command = plan
  variables {
    vlm_source = "vllm:latest"
  }
  expect_failures = [var.vlm_source]
}

run "spans_go_to_a_url" {
  command = plan
  variables {
    traces_url = "collector"
  }
  expect_failures = [var.traces_url]
}

run "a_days_budget_is_a_sum" {
  command = plan
  variables {
    budget_day = 0
  }
  expect_failures = [var.budget_day]
}

run "a_tenants_budget_is_a_sum_or_pairs" {
  command = plan
  variables {
    budget_tenant_day = "acme"
  }
  expect_failures = [var.budget_tenant_day]
}
