resource "google_firestore_database" "this" {
  name             = var.name
  location_id      = var.region
  type             = "FIRESTORE_NATIVE"
  concurrency_mode = "OPTIMISTIC"
  # Off: a week of old versions would keep what was erased.
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_DISABLED"
  delete_protection_state           = var.is_protected ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  deletion_policy                   = var.is_protected ? "ABANDON" : "DELETE"
  depends_on                        = [google_project_service.api]
}

locals {
  firestore = local.pipeline.firestore

  fields = merge([
    for collection, fields in local.firestore.fields : {
      for field, order in fields : "${collection}.${field}" => {
        collection = collection
        field      = field
        order      = order
        is_ttl     = field == local.firestore.ttl_field && contains(local.firestore.ttl_collections, collection)
      }
    }
  ]...)

  composite = { for index in local.firestore.composite : "${index.collection}.${join(".", index.ascending)}" => index }
}

# Firestore indexes every field unless told otherwise. An empty index_config is that telling; an empty ttl_config has
# documents erased at the moment in that field.
resource "google_firestore_field" "this" {
  for_each   = local.fields
  database   = google_firestore_database.this.name
  collection = each.value.collection
  field      = each.value.field

  index_config {
    dynamic "indexes" {
      for_each = each.value.order == null ? [] : [each.value.order]
      content {
        order       = indexes.value
        query_scope = "COLLECTION"
      }
    }
  }

  dynamic "ttl_config" {
    for_each = each.value.is_ttl ? [true] : []
    content {}
  }
}

resource "google_firestore_index" "this" {
  for_each    = local.composite
  database    = google_firestore_database.this.name
  collection  = each.value.collection
  query_scope = "COLLECTION"

  dynamic "fields" {
    for_each = each.value.ascending
    content {
      field_path = fields.value
      order      = "ASCENDING"
    }
  }
  fields {
    field_path = each.value.descending
    order      = "DESCENDING"
  }
}
