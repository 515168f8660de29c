# Who may do what with exports. A deployment may give out no rights in their project: an owner applies this module.

# Firestore writes the export itself.
resource "google_storage_bucket_iam_member" "firestore" {
  bucket = google_storage_bucket.backups.name
  role   = "roles/storage.admin"
  member = local.firestore_agent
}

# Who looks for the newest export does so by the names of objects, and reads none of them. No custom role of the
# database's project can be given here.
resource "google_storage_bucket_iam_member" "finder" {
  for_each = var.export_finders
  bucket   = google_storage_bucket.backups.name
  role     = "roles/storage.legacyBucketReader"
  member   = each.value
}

# The Firestore of the other project reads the export, on the days of a drill: who administers that project could import
# any export otherwise. `docs/deployment.md` has the command for a drill on another day.
resource "google_storage_bucket_iam_member" "importer" {
  for_each = var.import_project_number == null ? [] : toset(["roles/storage.legacyBucketReader", "roles/storage.objectViewer"])
  bucket   = google_storage_bucket.backups.name
  role     = each.value
  member   = "serviceAccount:service-${var.import_project_number}@gcp-sa-firestore.iam.gserviceaccount.com"

  condition {
    title      = "days of a drill"
    expression = "request.time.getMonth('UTC') % 3 == 0 && request.time.getDayOfMonth('UTC') < 2"
  }
}
