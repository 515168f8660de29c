output "anchors_bucket" {
  description = "Name of the bucket of the audit trail's anchors: `AUDIT_ANCHOR_BUCKET`."
  value       = google_storage_bucket.anchors.name
}

output "artifacts_bucket" {
  description = "Name of the bucket of large answers: `ARTIFACTS_BUCKET`."
  value       = google_storage_bucket.artifacts.name
}

output "backups_bucket" {
  description = "Name of the bucket of the exports."
  value       = google_storage_bucket.backups.name
}

output "database" {
  description = "The database as `projects/…/databases/…`, once its indexes are ready and its rules are released."
  value       = google_firestore_database.this.id
  depends_on = [
    google_firebaserules_release.this,
    google_firestore_field.this,
    google_firestore_index.this,
  ]
}
