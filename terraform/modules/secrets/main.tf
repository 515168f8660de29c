resource "google_secret_manager_secret" "this" {
  for_each            = var.names
  project             = var.project_id
  secret_id           = each.value
  deletion_protection = true

  replication {
    user_managed {
      replicas {
        location = var.location
      }
    }
  }

  # A version that was replaced can be taken back for a week.
  version_destroy_ttl = "604800s"
}
