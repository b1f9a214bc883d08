# How large a worker is, and what an hour of it costs. machines.json is read by tests as well, which hold the prices
# together with those that the code assumes (shared/domain/costs.py).
locals {
  machines = jsondecode(file("${path.module}/machines.json"))

  # Cloud Run wants at least 4 CPUs and 16 GiB beside an L4 (at most 8 and 32), 20 and 80 beside an RTX PRO 6000, summed
  # over the containers. A page image is 6 MB; a process that detects layout takes a core and 400 MB. What a GPU is worth
  # is not measured yet.
  size = merge(local.machines.sizes[var.gpu], var.worker_size)

  layout_processes = min(local.size.layout_processes, local.size.worker_cpu)
  # Above 85 % of its memory the worker ends between ranges, and starts anew: decision 0013. In MB; Cloud Run gives GiB.
  worker_memory_mb = floor(0.85 * 1073.741824 * local.size.worker_gib)

  # USD, list prices of November 2026, none of them seen on a bill:
  # - pool: an L4 without zonal redundancy, 0.0001867 a second; CPU and memory as of services that are billed by instance,
  #   0.000018 and 0.000002 a second. Worker pools have rates of their own; no page of Google's with them was found, and
  #   the one figure at second hand (0.000011244 for a CPU) is lower: so what we count is rather too much. An RTX PRO
  #   6000's price was not found: it must be given.
  # - vms: g2-standard-8 at 0.85, 0.94 in Europe, less the 60 % that Spot is at least cheaper by, with a disk of 100 GB. Spot
  #   prices change daily.
  # - functions: billed by request, 0.000024 a CPU and 0.0000025 a GiB and second.
  prices = local.machines.prices
  listed = {
    pool = (
      try(local.prices.pool.gpu_hour[var.gpu], 0)
      + (local.size.worker_cpu + local.size.vlm_cpu) * local.prices.pool.cpu_hour
      + (local.size.worker_gib + local.size.vlm_gib) * local.prices.pool.gib_hour
    )
    vms = try(local.prices.vms[var.gpu], 0)
  }[var.worker_backend]
  price_per_gpu_hour = var.price_per_gpu_hour != null ? var.price_per_gpu_hour : floor(100 * local.listed + 0.5) / 100

  # Of the functions, what is charged for is prepare's time.
  prepare_gib             = tonumber(regex("^[0-9]+", var.functions["prepare"].memory)) / (endswith(var.functions["prepare"].memory, "Mi") ? 1024 : 1)
  price_per_function_hour = var.functions["prepare"].cpu * local.prices.function.cpu_hour + local.prepare_gib * local.prices.function.gib_hour
}
