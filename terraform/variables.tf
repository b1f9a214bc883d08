# --- where, and what it is called ---------------------------------------------------------------------------------

variable "project_id" {
  description = "Google Cloud project that everything is made in."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "A project id has 6 to 30 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "region" {
  description = "Region of everything. Cloud Run has GPUs in few: these have L4s without an invitation."
  type        = string
  default     = "europe-west4"
  validation {
    condition     = contains(["europe-west1", "europe-west4", "us-east4", "asia-southeast1"], var.region)
    error_message = "Cloud Run has L4 GPUs in europe-west1, europe-west4, us-east4 and asia-southeast1."
  }
}

variable "zone" {
  description = "Letter of the zone of the GPU VMs, with worker_backend = \"vms\"."
  type        = string
  default     = "a"
  validation {
    condition     = can(regex("^[a-f]$", var.zone))
    error_message = "One letter, as in a for europe-west4-a."
  }
}

variable "name" {
  description = "What all names begin with: keeps several installations of one project apart."
  type        = string
  default     = "pagemill"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}[a-z0-9]$", var.name))
    error_message = "3 to 16 lower-case letters, digits and hyphens: service accounts' names end at 30."
  }
}

# --- what runs ----------------------------------------------------------------------------------------------------

variable "release" {
  description = "Name under which the build stored the functions' source and the worker's image. Empty: nothing runs yet."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^([a-z0-9][a-z0-9._-]{0,62})?$", var.release))
    error_message = "At most 63 lower-case letters, digits, dots, hyphens and underscores, as a git commit's short name."
  }
}

variable "vlm_release" {
  description = "Release whose build made the vLLM image: it is built far less often than the worker's. Empty: as release."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^([a-z0-9][a-z0-9._-]{0,62})?$", var.vlm_release))
    error_message = "At most 63 lower-case letters, digits, dots, hyphens and underscores, as a git commit's short name."
  }
}

variable "autoscaler_image" {
  description = "Google's image of CREMA, the pool's autoscaler: by a tag, or by digest once you have looked one up."
  type        = string
  default     = "us-central1-docker.pkg.dev/cloud-run-oss-images/crema-v1/autoscaler:1.1"
  validation {
    condition     = can(regex("^[a-z0-9./-]+(:[0-9][0-9.]*|@sha256:[0-9a-f]{64})$", var.autoscaler_image))
    error_message = "An image with a version's tag or a digest; not latest."
  }
}

variable "vm_image" {
  description = "Boot image of the GPU VMs: a family, whose newest is taken by each new VM, or one image of it."
  type        = string
  default     = "projects/cos-cloud/global/images/family/cos-stable"
  validation {
    condition     = can(regex("^projects/cos-cloud/global/images/(family/)?cos-[a-z0-9-]+$", var.vm_image))
    error_message = "Container-Optimized OS: projects/cos-cloud/global/images/ and an image, or family/ and a family."
  }
}

variable "worker_backend" {
  description = "What the GPU workers run on: \"pool\" is a Cloud Run worker pool, \"vms\" a group of Spot VMs."
  type        = string
  default     = "pool"
  validation {
    condition     = contains(["pool", "vms"], var.worker_backend)
    error_message = "pool or vms."
  }
}

variable "gpu" {
  description = "GPU of a worker. nvidia-rtx-pro-6000 is for the pool alone, in two of the regions, and costs a multiple."
  type        = string
  default     = "nvidia-l4"
  validation {
    condition     = contains(["nvidia-l4", "nvidia-rtx-pro-6000"], var.gpu)
    error_message = "nvidia-l4 or nvidia-rtx-pro-6000."
  }
  validation {
    condition     = var.worker_backend == "pool" || var.gpu == "nvidia-l4"
    error_message = "The VMs are G2 machines, which come with an L4."
  }
  validation {
    condition     = var.gpu == "nvidia-l4" || contains(["europe-west4", "asia-southeast1"], var.region)
    error_message = "Cloud Run has RTX PRO 6000 GPUs in europe-west4 and asia-southeast1."
  }
}

# --- who may call -------------------------------------------------------------------------------------------------

variable "callers" {
  description = "Who may call the API: IAM members, as user:…, group:… or serviceAccount:…."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for each in var.callers : can(regex("^(user|group|serviceAccount|domain|principal|principalSet):", each))])
    error_message = "Only named members. To let everybody in, say public_api = true."
  }
}

variable "public_api" {
  description = "Whether everybody on the internet may call the API, and so spend your money up to max_gpus."
  type        = bool
  default     = false
}

variable "page_origins" {
  description = "Web pages, as https://host, that may upload to and read from the buckets with links from the API."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for each in var.page_origins : can(regex("^https://[^/*]+$", each))])
    error_message = "Origins begin with https://, end with the host, and have no asterisk."
  }
}

# --- what costs money ---------------------------------------------------------------------------------------------

variable "max_gpus" {
  description = "Most GPU workers at any moment, whatever waits: the autoscaler of either backend holds it."
  type        = number
  default     = 2
  validation {
    condition     = var.max_gpus >= 1 && var.max_gpus <= 100 && floor(var.max_gpus) == var.max_gpus
    error_message = "A whole number from 1 to 100."
  }
}

variable "worker_size" {
  description = "CPUs and GiB of a worker's two containers: each is paid for as long as the worker is there. null: by the GPU (machines.json)."
  type        = object({ worker_cpu = number, worker_gib = number, vlm_cpu = number, vlm_gib = number })
  default     = null
  validation {
    condition     = var.worker_size == null ? true : alltrue([for value in values(var.worker_size) : value >= 1 && floor(value) == value])
    error_message = "Whole numbers of at least 1."
  }
  validation {
    condition = var.worker_size == null || var.gpu != "nvidia-l4" ? true : (
      var.worker_size.worker_cpu + var.worker_size.vlm_cpu >= 4 && var.worker_size.worker_cpu + var.worker_size.vlm_cpu <= 8 &&
      var.worker_size.worker_gib + var.worker_size.vlm_gib >= 16 && var.worker_size.worker_gib + var.worker_size.vlm_gib <= 32
    )
    error_message = "Beside an L4 together 4 to 8 CPUs and 16 to 32 GiB; a g2-standard-8 has 8 and 32."
  }
  validation {
    condition = var.worker_size == null || var.gpu == "nvidia-l4" ? true : (
      var.worker_size.worker_cpu + var.worker_size.vlm_cpu >= 20 && var.worker_size.worker_cpu + var.worker_size.vlm_cpu <= 30 &&
      var.worker_size.worker_gib + var.worker_size.vlm_gib >= 80 && var.worker_size.worker_gib + var.worker_size.vlm_gib <= 120
    )
    error_message = "Beside an RTX PRO 6000 together 20 to 30 CPUs and 80 to 120 GiB."
  }
}

variable "ranges_per_gpu" {
  description = "Page ranges in the backlog, of at most 8 pages, for each of which one more GPU is not yet started."
  type        = number
  default     = 20
  validation {
    condition     = var.ranges_per_gpu >= 1 && var.ranges_per_gpu <= 1000 && floor(var.ranges_per_gpu) == var.ranges_per_gpu
    error_message = "A whole number from 1 to 1000."
  }
}

variable "idle_minutes" {
  description = "How long a GPU is kept after the backlog asks for fewer: a cold start costs minutes, waiting costs money."
  type        = number
  default     = 5
  validation {
    condition     = var.idle_minutes >= 1 && var.idle_minutes <= 60 && floor(var.idle_minutes) == var.idle_minutes
    error_message = "A whole number from 1 to 60."
  }
}

variable "vm_disk_gb" {
  description = "Boot disk of a GPU VM: it holds both images, unpacked."
  type        = number
  default     = 100
  validation {
    condition     = var.vm_disk_gb >= 60 && var.vm_disk_gb <= 500
    error_message = "From 60 to 500 GB."
  }
}

variable "functions" {
  description = "Size of each function's instance, and how many there may be at the same time. None is kept when idle."
  type        = map(object({ memory = string, cpu = number, max_instances = number }))
  default = {
    submit  = { memory = "1Gi", cpu = 1, max_instances = 10 }
    drop    = { memory = "512Mi", cpu = 1, max_instances = 4 }
    prepare = { memory = "4Gi", cpu = 2, max_instances = 20 }
    notify  = { memory = "1Gi", cpu = 1, max_instances = 10 }
    sweep   = { memory = "1Gi", cpu = 1, max_instances = 2 }
  }
  validation {
    condition     = toset(keys(var.functions)) == toset(["submit", "drop", "prepare", "notify", "sweep"])
    error_message = "All five: submit, drop, prepare, notify, sweep."
  }
  validation {
    condition     = alltrue([for each in var.functions : each.max_instances >= 1 && each.max_instances <= 100])
    error_message = "From 1 to 100 instances each."
  }
  validation {
    condition     = alltrue([for each in var.functions : contains([1, 2, 4], each.cpu) && can(regex("^([1-8]Gi|512Mi)$", each.memory))])
    error_message = "1, 2 or 4 CPUs, as more than one request at a time needs a whole one; 512Mi, or 1Gi to 8Gi."
  }
}

variable "max_pages" {
  description = "Most pages of a document."
  type        = number
  default     = 2000
  validation {
    condition     = var.max_pages >= 1 && var.max_pages <= 100000
    error_message = "From 1 to 100000."
  }
}

variable "max_bytes" {
  description = "Largest document, in bytes. prepare holds it in memory."
  type        = number
  default     = 200000000
  validation {
    condition     = var.max_bytes >= 1000000 && var.max_bytes <= 1000000000
    error_message = "From 1 MB to 1 GB."
  }
}

variable "deadline_hours" {
  description = "Time by which a job has ended."
  type        = number
  default     = 24
  validation {
    condition     = var.deadline_hours >= 1 && var.deadline_hours <= 144
    error_message = "From 1 to 144: Pub/Sub keeps a message for seven days."
  }
}

variable "retention_days" {
  description = "How long jobs, pages and results are kept after the end."
  type        = number
  default     = 7
  validation {
    condition     = var.retention_days >= 1 && var.retention_days <= 365
    error_message = "From 1 to 365."
  }
}

variable "cache_days" {
  description = "How long what was read is kept for the same pixels. 0: not."
  type        = number
  default     = 30
  validation {
    condition     = var.cache_days >= 0 && var.cache_days <= 365 && floor(var.cache_days) == var.cache_days
    error_message = "A whole number from 0 to 365."
  }
}

variable "inbox_days" {
  description = "How long what was dropped into the inbox stays there: it is its owner's, and erased by nothing else."
  type        = number
  default     = 30
  validation {
    condition     = var.inbox_days > var.deadline_hours / 24 && var.inbox_days <= 3650 && floor(var.inbox_days) == var.inbox_days
    error_message = "A whole number of days, longer than a job's deadline and at most 3650."
  }
}

variable "outbox_days" {
  description = "How long results stay in the outbox: they are their receiver's, and erased by nothing else."
  type        = number
  default     = 90
  validation {
    condition     = var.outbox_days >= 1 && var.outbox_days <= 3650 && floor(var.outbox_days) == var.outbox_days
    error_message = "A whole number from 1 to 3650."
  }
}

variable "uploads_days" {
  description = "After how long an upload goes whatever happens. sweep erases it with its jobs, long before."
  type        = number
  default     = 14
  validation {
    condition     = var.uploads_days >= var.deadline_hours / 24 + 2 && var.uploads_days <= 365 && floor(var.uploads_days) == var.uploads_days
    error_message = "A whole number of days, at least two more than a job's deadline and at most 365."
  }
}

variable "kept_releases" {
  description = "Images of each kind that are kept for rolling back; the vLLM image alone is some 15 GB."
  type        = number
  default     = 3
  validation {
    condition     = var.kept_releases >= 2 && var.kept_releases <= 20
    error_message = "From 2, or there is nothing to roll back to, to 20."
  }
}

variable "log_level" {
  description = "Least severity that is logged: Cloud Logging bills what it takes in."
  type        = string
  default     = "INFO"
  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.log_level)
    error_message = "DEBUG, INFO, WARNING or ERROR."
  }
}

# --- who is told, and when ----------------------------------------------------------------------------------------

variable "billing_account" {
  description = "Billing account of the project, as 01ABCD-234EF0-56789A, for the budget: you need roles/billing.costsManager on it. \"none\": I do without."
  type        = string
  validation {
    condition     = can(regex("^(none|[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6})$", var.billing_account))
    error_message = "Three groups of six, or the word none: nobody has no budget by forgetting it."
  }
}

variable "budget" {
  description = "What a month may cost, in the billing account's currency. A budget tells, it doesn't stop: max_gpus does."
  type        = number
  default     = 100
  validation {
    condition     = var.budget >= 1 && floor(var.budget) == var.budget
    error_message = "A whole number of at least 1."
  }
}

variable "alert_email" {
  description = "Who is told of alerts and of the budget. \"none\": nobody."
  type        = string
  validation {
    condition     = can(regex("^(none|[^@\\s]+@[^@\\s]+)$", var.alert_email))
    error_message = "An e-mail address, or the word none."
  }
}

variable "budget_day" {
  description = "USD that all jobs of a day (UTC) may cost by the table of prices. Above it new jobs are refused; running ones end."
  type        = number
  default     = 25
  validation {
    condition     = var.budget_day > 0 && var.budget_day <= 1000000
    error_message = "More than 0, at most a million."
  }
}

variable "budget_tenant_day" {
  description = "USD that a tenant's jobs of a day may cost: 5 for each, or * 5 acme 20 for each and for some by name. Empty: none."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^([0-9]+(\\.[0-9]+)?|\\S+ [0-9]+(\\.[0-9]+)?( \\S+ [0-9]+(\\.[0-9]+)?)*)?$", var.budget_tenant_day))
    error_message = "A sum, or pairs of a tenant and a sum, with * for every other tenant."
  }
}

variable "price_per_gpu_hour" {
  description = "USD that a worker costs an hour, with CPU and memory: for receipts, for budget_day and for the alert. null: by the list (machines.tf)."
  type        = number
  default     = null
  validation {
    condition     = var.price_per_gpu_hour == null ? true : var.price_per_gpu_hour > 0 && var.price_per_gpu_hour <= 20
    error_message = "More than 0, at most 20."
  }
  validation {
    condition     = var.price_per_gpu_hour != null || var.gpu == "nvidia-l4"
    error_message = "The list has no price of that GPU: say what a worker with it costs an hour."
  }
}

variable "alert_cost_a_day" {
  description = "USD of the GPU workers' last 24 hours above which somebody is told."
  type        = number
  default     = 20
  validation {
    condition     = var.alert_cost_a_day > 0
    error_message = "More than 0."
  }
}

variable "alert_backlog_minutes" {
  description = "Age of the oldest message that nobody has taken off above which somebody is told."
  type        = number
  default     = 60
  validation {
    condition     = var.alert_backlog_minutes >= 10 && var.alert_backlog_minutes <= 1440
    error_message = "From 10, which a cold start may take, to 1440."
  }
}

variable "alert_failed_pages" {
  description = "Failed pages in an hour above which somebody is told."
  type        = number
  default     = 50
  validation {
    condition     = var.alert_failed_pages >= 1
    error_message = "At least 1."
  }
}

variable "alert_gpu_busy_share" {
  description = "Share of the time that GPUs compute (VMs: that they have pages) below which, for half an hour, somebody is told: they cost as much idle."
  type        = number
  default     = 0.1
  validation {
    condition     = var.alert_gpu_busy_share >= 0 && var.alert_gpu_busy_share < 1
    error_message = "From 0, which is never, to below 1."
  }
}

# --- secrets ------------------------------------------------------------------------------------------------------

variable "secret_versions" {
  description = "Which version of each secret is in use. A new one does nothing until it is named here."
  type        = map(string)
  default     = { "sealing-key" = "1", "callback-secret" = "1" }
  validation {
    condition     = toset(keys(var.secret_versions)) == toset(["sealing-key", "callback-secret"]) && alltrue([for each in var.secret_versions : can(regex("^[1-9][0-9]*$", each))])
    error_message = "A number for sealing-key and one for callback-secret; not latest, which nobody could roll back."
  }
}

# --- building -----------------------------------------------------------------------------------------------------

variable "github" {
  description = "Repository whose tags are built and stored, once it is connected to Cloud Build. null: no trigger."
  type        = object({ owner = string, name = string, tag = optional(string, "^v[0-9].*$") })
  default     = null
}

variable "build_deploys" {
  description = "Whether a build may bring its release into operation. It can then act as each component of this installation."
  type        = bool
  default     = false
}

variable "vlm_source" {
  description = "The vLLM server's image that the trigger's builds mirror, by digest. Empty: they build none."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^(.+@sha256:[0-9a-f]{64})?$", var.vlm_source))
    error_message = "By digest: …@sha256: and 64 hexadecimal digits."
  }
}

variable "traces_url" {
  description = "Collector of OpenTelemetry spans, OTLP over HTTP. Empty: spans stay where they are."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^(https?://\\S+)?$", var.traces_url))
    error_message = "An http:// or https:// URL."
  }
}

variable "is_protected" {
  description = "Whether the jobs' database and the buckets with objects in them refuse to be destroyed."
  type        = bool
  default     = true
}
