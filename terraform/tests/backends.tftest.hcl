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

run "nothing_runs_before_the_first_build" {
  variables {
    release = ""
  }
  assert {
    condition     = length(google_cloudfunctions2_function.this) + length(google_cloud_run_v2_worker_pool.this) + length(google_compute_instance_group_manager.worker) + length(google_cloud_scheduler_job.sweep) + length(google_eventarc_trigger.inbox) + length(google_cloud_run_v2_service.crema) == 0
    error_message = "There is nothing to run yet."
  }
  assert {
    condition     = google_artifact_registry_repository.images.repository_id == "pagemill" && length(google_secret_manager_secret.this) == 2
    error_message = "What the build needs is there."
  }
  assert {
    condition     = length(google_monitoring_alert_policy.failed_pages) == 0 && google_logging_metric.failed_pages.name == "pagemill/failed-pages"
    error_message = "An alert on a metric that was only just made is refused."
  }
  assert {
    condition     = startswith(output.next, "gcloud builds submit ")
    error_message = "The next thing to do is to build."
  }
}

run "a_pool_scales_from_zero_to_its_limit" {
  variables {
    max_gpus     = 3
    idle_minutes = 7
  }
  assert {
    condition     = google_cloud_run_v2_worker_pool.this[0].scaling[0].manual_instance_count == 0 && google_cloud_run_v2_worker_pool.this[0].scaling[0].scaling_mode == "MANUAL"
    error_message = "Nothing is paid for until the autoscaler says so."
  }
  assert {
    condition     = local.crema.spec.scaledObjects[0].spec.minReplicaCount == 0 && local.crema.spec.scaledObjects[0].spec.maxReplicaCount == 3
    error_message = "max_gpus is a hard stop."
  }
  assert {
    condition     = yamldecode(google_parameter_manager_parameter_version.crema[0].parameter_data) == local.crema
    error_message = "That is what the autoscaler reads."
  }
  assert {
    condition     = google_cloud_run_v2_service.crema[0].template[0].containers[0].resources[0].cpu_idle && google_cloud_run_v2_service.crema[0].template[0].scaling[0].min_instance_count == 0
    error_message = "The autoscaler itself is paid for while it answers, and not around the clock."
  }
  assert {
    condition     = toset([for each in local.crema.spec.scaledObjects[0].spec.triggers : each.metadata.subscriptionName]) == toset([google_pubsub_subscription.this["pages-bulk"].id, google_pubsub_subscription.this["pages-express"].id])
    error_message = "Both lanes' backlogs count."
  }
  assert {
    condition     = local.crema.spec.scaledObjects[0].spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown.stabilizationWindowSeconds == 420
    error_message = "A GPU is kept for idle_minutes."
  }
  assert {
    condition     = startswith(output.next, "curl ")
    error_message = "The next thing to do is to ask whether it is ready."
  }
}

run "one_container_of_a_pool_has_the_gpu" {
  assert {
    condition     = [for each in google_cloud_run_v2_worker_pool.this[0].template[0].containers : each.name if can(each.resources[0].limits["nvidia.com/gpu"])] == ["vlm"]
    error_message = "Cloud Run gives the GPU to one container."
  }
  assert {
    condition     = google_cloud_run_v2_worker_pool.this[0].template[0].containers[0].depends_on == tolist(["vlm"]) && google_cloud_run_v2_worker_pool.this[0].template[0].containers[1].startup_probe[0].http_get[0].path == "/health"
    error_message = "The worker starts once vLLM answers."
  }
  assert {
    condition     = google_cloud_run_v2_worker_pool.this[0].template[0].containers[1].args == tolist(["--host", "0.0.0.0"])
    error_message = "A probe reaches vLLM, which stands in another container than who probes."
  }
  assert {
    condition     = google_cloud_run_v2_worker_pool.this[0].template[0].node_selector[0].accelerator == "nvidia-l4"
    error_message = "An L4, unless another was asked for."
  }
  assert {
    condition     = sum([for each in google_cloud_run_v2_worker_pool.this[0].template[0].containers : tonumber(each.resources[0].limits["cpu"])]) >= 4 && sum([for each in google_cloud_run_v2_worker_pool.this[0].template[0].containers : tonumber(each.resources[0].limits["cpu"])]) <= 8
    error_message = "Beside an L4 there are 4 to 8 CPUs."
  }
  assert {
    condition     = length(google_compute_instance_group_manager.worker) + length(google_compute_network.this) == 0
    error_message = "One backend at a time."
  }
}

run "what_is_deployed_is_what_is_counted" {
  assert {
    condition     = google_cloudfunctions2_function.this["notify"].service_config[0].environment_variables.PAGEMILL_PRICE_WORKER_HOUR == "1.36" && google_cloudfunctions2_function.this["notify"].service_config[0].environment_variables.PAGEMILL_PRICE_FUNCTION_HOUR == "0.2088"
    error_message = "An L4 with 8 CPUs and 24 GiB, and prepare with 2 and 4, at list prices."
  }
  assert {
    condition     = { for each in google_cloud_run_v2_worker_pool.this[0].template[0].containers[0].env : each.name => each.value }["PAGEMILL_WORKER_MEMORY_MB"] == "7301" && google_cloud_run_v2_worker_pool.this[0].template[0].containers[0].resources[0].limits["memory"] == "8Gi"
    error_message = "The worker starts anew at 85 % of its memory."
  }
  assert {
    condition     = endswith(google_monitoring_alert_policy.cost.conditions[0].condition_prometheus_query_language[0].query, " * 5 / 60 * 1.36 > 20") && google_monitoring_alert_policy.cost.conditions[0].condition_prometheus_query_language[0].disable_metric_validation
    error_message = "The alert counts with the same price, and waits for no metric."
  }
  assert {
    condition     = strcontains(google_monitoring_alert_policy.idle_gpu[0].conditions[0].condition_threshold[0].filter, "gpu/utilizations") && length(google_logging_metric.busy_seconds) == 0
    error_message = "The pool tells how busy its GPUs are."
  }
}

run "a_smaller_worker_costs_less" {
  variables {
    worker_size = { worker_cpu = 2, worker_gib = 4, vlm_cpu = 2, vlm_gib = 12 }
  }
  assert {
    condition     = google_cloudfunctions2_function.this["notify"].service_config[0].environment_variables.PAGEMILL_PRICE_WORKER_HOUR == "1.05"
    error_message = "An L4 with 4 CPUs and 16 GiB."
  }
  assert {
    condition     = local.worker_environment.PAGEMILL_LAYOUT_PROCESSES == "2" && local.worker_environment.PAGEMILL_WORKER_MEMORY_MB == "3650"
    error_message = "Layout has no more processes than CPUs."
  }
}

run "a_price_of_ones_own_counts" {
  variables {
    price_per_gpu_hour = 0.9
  }
  assert {
    condition     = google_cloudfunctions2_function.this["notify"].service_config[0].environment_variables.PAGEMILL_PRICE_WORKER_HOUR == "0.9"
    error_message = "The list is for who says nothing."
  }
}

run "a_larger_gpu_has_the_cpus_that_cloud_run_wants" {
  variables {
    gpu                = "nvidia-rtx-pro-6000"
    price_per_gpu_hour = 3
  }
  assert {
    condition     = google_cloud_run_v2_worker_pool.this[0].template[0].node_selector[0].accelerator == "nvidia-rtx-pro-6000"
    error_message = "That GPU."
  }
  assert {
    condition     = sum([for each in google_cloud_run_v2_worker_pool.this[0].template[0].containers : tonumber(each.resources[0].limits["cpu"])]) >= 20 && sum([for each in google_cloud_run_v2_worker_pool.this[0].template[0].containers : tonumber(trimsuffix(each.resources[0].limits["memory"], "Gi"))]) >= 80
    error_message = "At least 20 CPUs and 80 GiB."
  }
}

run "vms_are_spot_and_scale_from_zero_to_their_limit" {
  variables {
    worker_backend = "vms"
    max_gpus       = 4
  }
  assert {
    condition     = google_compute_autoscaler.worker[0].autoscaling_policy[0].min_replicas == 0 && google_compute_autoscaler.worker[0].autoscaling_policy[0].max_replicas == 4 && google_compute_instance_group_manager.worker[0].update_policy[0].max_surge_fixed == 0
    error_message = "max_gpus is a hard stop, also while a release is replaced."
  }
  assert {
    condition     = length(google_compute_autoscaler.worker[0].autoscaling_policy[0].metric) == 2
    error_message = "Both lanes' backlogs count."
  }
  assert {
    condition     = google_compute_instance_template.worker[0].scheduling[0].provisioning_model == "SPOT" && google_compute_instance_template.worker[0].scheduling[0].instance_termination_action == "DELETE"
    error_message = "Spot VMs, which leave nothing behind."
  }
  assert {
    condition     = local.vm_environment.PAGEMILL_PRICE_WORKER_HOUR == "0.4" && strcontains(google_logging_metric.failed_pages.filter, "gce_instance")
    error_message = "Receipts have the price of Spot, and failed pages are counted in the VMs' logs."
  }
  assert {
    condition     = strcontains(google_monitoring_alert_policy.idle_gpu[0].conditions[0].condition_prometheus_query_language[0].query, "user_${google_logging_metric.busy_seconds[0].name}_sum{") && endswith(google_monitoring_alert_policy.idle_gpu[0].conditions[0].condition_prometheus_query_language[0].query, "< 0.1")
    error_message = "An idle VM is noticed by its worker's log."
  }
  assert {
    condition     = length(google_cloud_run_v2_worker_pool.this) + length(google_cloud_run_v2_service.crema) + length(google_parameter_manager_parameter.crema) + length(google_cloud_scheduler_job.crema) == 0
    error_message = "One backend at a time."
  }
  assert {
    condition     = !contains(keys(google_service_account.this), "scaler") && google_project_iam_member.vm_logs[0].role == "roles/logging.logWriter" && google_artifact_registry_repository_iam_member.vm_reads[0].role == "roles/artifactregistry.reader"
    error_message = "No account that nobody uses; the worker also logs and pulls its images."
  }
}

run "a_preempted_vm_drains_its_worker" {
  variables {
    worker_backend = "vms"
  }
  assert {
    condition     = length([for each in yamldecode(google_compute_instance_template.worker[0].metadata["user-data"]).write_files : each if each.path == "/etc/pagemill/preempted.sh" && strcontains(each.content, "instance/preempted") && strcontains(each.content, "systemctl stop pagemill-worker.service")]) == 1
    error_message = "The notice stops the worker, which hands back."
  }
  assert {
    condition     = length([for each in yamldecode(google_compute_instance_template.worker[0].metadata["user-data"]).write_files : each if each.path == "/etc/systemd/system/pagemill-worker.service" && strcontains(each.content, "docker stop --time 12 worker")]) == 1
    error_message = "SIGTERM first, and longer than the worker's 9 seconds."
  }
  assert {
    condition     = alltrue([for name, value in local.vm_environment : strcontains(google_compute_instance_template.worker[0].metadata["user-data"], "${name}=${value}\n")])
    error_message = "The worker on a VM is told what the one in the pool is."
  }
}
