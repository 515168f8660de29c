locals {
  # An account's name has six letters at least.
  account_id = length(var.name) < 6 ? "${var.name}-job" : var.name
}

resource "google_service_account" "this" {
  project      = var.project_id
  account_id   = local.account_id
  display_name = "Runs the job ${var.name}"
}

resource "google_project_iam_member" "database" {
  count   = var.database_role == null ? 0 : 1
  project = var.project_id
  role    = var.database_role
  member  = google_service_account.this.member

  condition {
    title      = "its database"
    expression = "resource.name == \"${var.database}\""
  }
}

resource "google_project_iam_member" "this" {
  for_each = var.roles
  project  = var.project_id
  role     = each.value
  member   = google_service_account.this.member
}

resource "google_secret_manager_secret_iam_member" "this" {
  for_each  = var.secrets
  project   = var.project_id
  secret_id = each.value.secret
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this.member
}

resource "google_service_account" "scheduler" {
  count        = var.schedule == null ? 0 : 1
  project      = var.project_id
  account_id   = "${var.name}-tick"
  display_name = "Starts the job ${var.name}"
}

resource "google_cloud_run_v2_job_iam_member" "scheduler" {
  count    = var.schedule == null ? 0 : 1
  project  = var.project_id
  location = var.location
  name     = google_cloud_run_v2_job.this.name
  role     = "roles/run.invoker"
  member   = google_service_account.scheduler[0].member
}
