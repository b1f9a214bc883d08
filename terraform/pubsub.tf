locals {
  topics   = local.pipeline.topics
  delivery = local.pipeline.delivery
  pulled   = toset([for topic, each in local.topics : topic if each.pushed_to == null])
  week     = "${7 * local.day}s"

  publishers = merge([
    for name, rights in local.components : { for topic in rights.publishes : "${name}/${topic}" => { name = name, topic = topic } }
  ]...)
}

resource "google_pubsub_topic" "this" {
  for_each = toset(concat(keys(local.topics), ["dead-letters"]))
  name     = "${var.name}-${each.value}"
  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
  depends_on = [google_project_service.api]
}

resource "google_pubsub_subscription" "this" {
  for_each = local.topics
  name     = "${var.name}-${each.key}"
  topic    = google_pubsub_topic.this[each.key].id
  # Nobody extends the lease of what is pushed; whoever pulls extends its own.
  ack_deadline_seconds       = each.value.pushed_to == null ? local.delivery.pull_lease_seconds : local.delivery.push_lease_seconds
  message_retention_duration = local.week

  # Of itself a subscription dies after 31 idle days.
  expiration_policy {
    ttl = ""
  }
  # Without a pause, a message that is handed back spins.
  retry_policy {
    minimum_backoff = "${local.delivery.first_pause_seconds}s"
    maximum_backoff = "${local.delivery.longest_pause_seconds}s"
  }
  # Far above what a healthy message needs: deliveries also count hand-backs. Here it raises an alert, nothing more.
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.this["dead-letters"].id
    max_delivery_attempts = local.delivery.most_deliveries
  }

  dynamic "push_config" {
    for_each = each.value.pushed_to == null ? [] : [local.function_urls[each.value.pushed_to]]
    content {
      push_endpoint = push_config.value
      oidc_token {
        service_account_email = google_service_account.this["push"].email
        audience              = push_config.value
      }
    }
  }
}

resource "google_pubsub_subscription" "dead_letters" {
  name                       = "${var.name}-dead-letters"
  topic                      = google_pubsub_topic.this["dead-letters"].id
  ack_deadline_seconds       = 600 # for whoever reads them by hand
  message_retention_duration = local.week
  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_topic_iam_member" "publishes" {
  for_each = local.publishers
  topic    = google_pubsub_topic.this[each.value.topic].name
  role     = "roles/pubsub.publisher"
  member   = google_service_account.this[each.value.name].member
}

resource "google_pubsub_subscription_iam_member" "pulls" {
  for_each     = local.pulled
  subscription = google_pubsub_subscription.this[each.value].name
  role         = "roles/pubsub.subscriber"
  member       = google_service_account.this["worker"].member
}

# Dead letters are moved by Pub/Sub itself: it publishes to their topic and takes off the subscription.
resource "google_pubsub_topic_iam_member" "buries" {
  topic  = google_pubsub_topic.this["dead-letters"].name
  role   = "roles/pubsub.publisher"
  member = local.agents.pubsub
}

resource "google_pubsub_subscription_iam_member" "buries" {
  for_each     = local.topics
  subscription = google_pubsub_subscription.this[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = local.agents.pubsub
}
