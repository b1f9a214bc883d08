# What each process is told. Every name is a setting of shared/config.py, and a test says so. Settings that are part of
# what identifies a reading, or that limit a document, must be the same everywhere: they stand in `environment`.
locals {
  environment = merge(
    {
      PAGEMILL_PLATFORM            = "google"
      PAGEMILL_BUDGET_DAY          = tostring(var.budget_day)
      PAGEMILL_PRICE_WORKER_HOUR   = tostring(local.price_per_gpu_hour)
      PAGEMILL_PRICE_FUNCTION_HOUR = tostring(local.price_per_function_hour)
      PAGEMILL_PROJECT             = var.project_id
      PAGEMILL_DATABASE            = var.name
      PAGEMILL_NAMES               = var.name
      PAGEMILL_BUCKET              = local.buckets["data"]
      PAGEMILL_INBOX_BUCKET        = local.buckets["inbox"]
      PAGEMILL_UPLOADS_BUCKET      = local.buckets["uploads"]
      PAGEMILL_OUTBOX_BUCKET       = local.buckets["outbox"]
      PAGEMILL_ENGINE              = "paddleocr-vl"
      VL_SERVER_URL                = "http://127.0.0.1:${local.vlm_port}/v1"
      PAGEMILL_MAX_PAGES           = tostring(var.max_pages)
      PAGEMILL_MAX_BYTES           = tostring(var.max_bytes)
      PAGEMILL_DEADLINE_HOURS      = tostring(var.deadline_hours)
      PAGEMILL_RETENTION_DAYS      = tostring(var.retention_days)
      PAGEMILL_CACHE_DAYS          = tostring(var.cache_days)
      PAGEMILL_LOG_LEVEL           = var.log_level
    },
    var.budget_tenant_day == "" ? {} : { PAGEMILL_BUDGET_TENANT_DAY = var.budget_tenant_day },
    var.traces_url == "" ? {} : { PAGEMILL_TRACES_URL = var.traces_url },
  )

  # Cloud Run lets in who may invoke and nobody else, checks the token's signature and audience, and takes the first off.
  # Which of a service's two addresses Eventarc names as the audience is its own affair: drop leaves that to Cloud Run.
  called_environment = {
    for name, each in local.pipeline.functions : name => each.called_by == "callers" ? {} : merge(
      {
        PAGEMILL_PUSH_ACCOUNT    = google_service_account.this[each.called_by].email
        PAGEMILL_PUSH_CHECKED_BY = "cloud-run"
      },
      each.called_by == "push" ? { PAGEMILL_PUSH_AUDIENCE = local.function_urls[name] } : {},
    )
  }

  worker_environment = {
    PAGEMILL_VL_REQUESTS      = tostring(local.size.requests)
    PAGEMILL_VL_PAGES         = tostring(local.size.pages)
    PAGEMILL_VL_PRIORITY      = "true" # vllm.yaml, in the vLLM image, has the other half
    PAGEMILL_LAYOUT_DEVICE    = "cpu"  # of an instance's containers one gets the GPU
    PAGEMILL_LAYOUT_PROCESSES = tostring(local.layout_processes)
    PAGEMILL_WORKER_MEMORY_MB = tostring(local.worker_memory_mb)
    PAGEMILL_WORKER_PORT      = tostring(local.worker_port)
    PAGEMILL_HOST             = "0.0.0.0" # whoever probes stands outside of the container
  }

  secret_variables = {
    sealing-key     = "PAGEMILL_SEALING_KEY"
    callback-secret = "PAGEMILL_CALLBACK_SECRET"
  }
}
