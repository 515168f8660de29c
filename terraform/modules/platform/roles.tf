# What Google's own roles give more of than a function needs.
resource "google_project_iam_custom_role" "account_editor" {
  project     = var.project.id
  role_id     = "accountEditor"
  title       = "Ends sessions and accounts"
  permissions = ["firebaseauth.users.delete", "firebaseauth.users.get", "firebaseauth.users.update"]
}

resource "google_project_iam_custom_role" "account_eraser" {
  project     = var.project.id
  role_id     = "accountEraser"
  title       = "Ends accounts"
  permissions = ["firebaseauth.users.delete"]
}

resource "google_project_iam_custom_role" "artifact_keeper" {
  project     = var.project.id
  role_id     = "artifactKeeper"
  title       = "Writes large answers once and reads them"
  permissions = ["storage.objects.create", "storage.objects.get"]
}

resource "google_project_iam_custom_role" "artifact_remover" {
  project     = var.project.id
  role_id     = "artifactRemover"
  title       = "Reads and deletes large answers"
  permissions = ["storage.objects.delete", "storage.objects.get"]
}

resource "google_storage_bucket_iam_member" "artifact_keeper" {
  bucket = module.data.artifacts_bucket
  role   = google_project_iam_custom_role.artifact_keeper.id
  member = module.execute_workflow.member
}

resource "google_storage_bucket_iam_member" "artifact_remover" {
  bucket = module.data.artifacts_bucket
  role   = google_project_iam_custom_role.artifact_remover.id
  member = module.api.member
}
