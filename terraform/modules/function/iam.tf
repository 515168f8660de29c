locals {
  # An account's name has six letters at least.
  account_id = length(var.name) < 6 ? "${var.name}-function" : var.name
}

resource "google_service_account" "this" {
  project      = var.project.id
  account_id   = local.account_id
  display_name = "Runs ${var.name}"
}

resource "google_project_iam_member" "database" {
  project = var.project.id
  role    = "roles/datastore.user"
  member  = google_service_account.this.member

  condition {
    title      = "its database"
    expression = "resource.name == \"${var.database}\""
  }
}

resource "google_project_iam_member" "this" {
  for_each = var.roles
  project  = var.project.id
  role     = each.value
  member   = google_service_account.this.member
}

resource "google_secret_manager_secret_iam_member" "this" {
  for_each  = var.secrets
  project   = var.project.id
  secret_id = each.value.secret
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this.member
}

# Who delivers events, messages, ticks and tasks to this function, and to no other.
resource "google_service_account" "caller" {
  count        = local.has_caller ? 1 : 0
  project      = var.project.id
  account_id   = "${substr(var.name, 0, 23)}-caller"
  display_name = "Calls ${var.name}"
}

resource "google_cloud_run_v2_service_iam_member" "caller" {
  count    = local.has_caller ? 1 : 0
  project  = var.project.id
  location = var.location
  name     = google_cloud_run_v2_service.this.name
  role     = "roles/run.invoker"
  member   = google_service_account.caller[0].member
}

resource "google_cloud_run_v2_service_iam_member" "public" {
  count    = var.is_public ? 1 : 0
  project  = var.project.id
  location = var.location
  name     = google_cloud_run_v2_service.this.name
  role     = "roles/run.invoker"
  member   = "allUsers"
}
