# The other backend: a group of Spot VMs with an L4 each, as many as the backlog asks for. About a third of the pool's
# price, for slower starts and preemptions; a preempted worker hands back what it has (worker_vm.yaml.tftpl).
locals {
  has_vms = local.backend == "vms"

  vm_environment = merge(local.environment, local.worker_environment)
}

# A network of their own: no address from outside, no rule that lets anybody in, Google's services by their private way.
resource "google_compute_network" "this" {
  count                   = local.has_vms ? 1 : 0
  name                    = "${var.name}-workers"
  auto_create_subnetworks = false
  depends_on              = [google_project_service.api]
}

resource "google_compute_subnetwork" "this" {
  count                    = local.has_vms ? 1 : 0
  name                     = "${var.name}-workers"
  network                  = google_compute_network.this[0].id
  region                   = var.region
  ip_cidr_range            = "10.90.0.0/24"
  private_ip_google_access = true
  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "EXCLUDE_ALL_METADATA"
  }
}

# What a network does of itself, written down where a rule that somebody adds later would have to be put above it.
resource "google_compute_firewall" "nobody" {
  count         = local.has_vms ? 1 : 0
  name          = "${var.name}-nobody-in"
  network       = google_compute_network.this[0].id
  direction     = "INGRESS"
  priority      = 65534
  source_ranges = ["0.0.0.0/0"]
  deny {
    protocol = "all"
  }
}

resource "google_compute_instance_template" "worker" {
  count        = local.has_vms ? 1 : 0
  name_prefix  = "${var.name}-worker-"
  machine_type = "g2-standard-8" # one L4, 8 CPUs, 32 GB

  disk {
    source_image = var.vm_image
    disk_size_gb = var.vm_disk_gb
    disk_type    = "pd-balanced"
    boot         = true
    auto_delete  = true
  }

  network_interface {
    subnetwork = google_compute_subnetwork.this[0].id
  }

  scheduling {
    provisioning_model          = "SPOT"
    preemptible                 = true
    automatic_restart           = false
    on_host_maintenance         = "TERMINATE"
    instance_termination_action = "DELETE"
  }

  service_account {
    email  = google_service_account.this["worker"].email
    scopes = ["cloud-platform"] # a ceiling; the account's rights are the limit
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  metadata = {
    block-project-ssh-keys = "true"
    google-logging-enabled = "true"
    user-data = templatefile("${path.module}/worker_vm.yaml.tftpl", {
      registry     = "${var.region}-docker.pkg.dev"
      worker_image = local.images.worker
      vlm_image    = local.images.vlm
      environment  = local.vm_environment
      vlm_port     = local.vlm_port
      worker_port  = local.worker_port
    })
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_instance_group_manager" "worker" {
  count              = local.has_vms ? 1 : 0
  name               = "${var.name}-worker"
  zone               = "${var.region}-${var.zone}"
  base_instance_name = "${var.name}-worker"
  version {
    instance_template = google_compute_instance_template.worker[0].self_link_unique
  }
  # A new release replaces the VMs one by one; each hands back what it has.
  update_policy {
    type                  = "PROACTIVE"
    minimal_action        = "REPLACE"
    max_surge_fixed       = 0 # never more than max_gpus
    max_unavailable_fixed = 1
  }
  lifecycle {
    ignore_changes = [target_size] # the autoscaler's
  }
}

resource "google_compute_autoscaler" "worker" {
  count  = local.has_vms ? 1 : 0
  name   = "${var.name}-worker"
  zone   = "${var.region}-${var.zone}"
  target = google_compute_instance_group_manager.worker[0].id
  autoscaling_policy {
    min_replicas         = 0
    max_replicas         = var.max_gpus
    cooldown_period      = 300
    stabilization_period = 60 * var.idle_minutes
    # The lane that asks for more is granted its wish.
    dynamic "metric" {
      for_each = local.pulled
      content {
        name                       = "pubsub.googleapis.com/subscription/num_undelivered_messages"
        filter                     = "resource.type = pubsub_subscription AND resource.labels.subscription_id = \"${google_pubsub_subscription.this[metric.value].name}\""
        single_instance_assignment = var.ranges_per_gpu
      }
    }
  }
}

resource "google_project_iam_member" "vm_logs" {
  count   = local.has_vms ? 1 : 0
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = google_service_account.this["worker"].member
}

# A VM pulls its images as the worker; Cloud Run does so as its own agent.
resource "google_artifact_registry_repository_iam_member" "vm_reads" {
  count      = local.has_vms ? 1 : 0
  repository = google_artifact_registry_repository.images.name
  location   = google_artifact_registry_repository.images.location
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.this["worker"].member
}
