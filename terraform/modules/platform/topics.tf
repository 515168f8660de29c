# Ticks, one message for each integration that is due, and what Gmail tells.
resource "google_pubsub_topic" "sync" {
  #checkov:skip=CKV_GCP_83:A message holds ids alone.
  project = var.project.id
  name    = "workspace-sync"

  depends_on = [google_project_service.this]
}

resource "google_pubsub_topic" "gmail" {
  #checkov:skip=CKV_GCP_83:Gmail writes to it, under keys of Google's.
  count   = var.is_gmail_told ? 1 : 0
  project = var.project.id
  name    = "gmail"

  depends_on = [google_project_service.this]
}

resource "google_pubsub_topic_iam_member" "gmail" {
  count   = var.is_gmail_told ? 1 : 0
  project = var.project.id
  topic   = google_pubsub_topic.gmail[0].name
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:gmail-api-push@system.gserviceaccount.com"
}

resource "google_pubsub_topic_iam_member" "sync" {
  for_each = {
    api  = module.api.member
    sync = module.sync_google_workspace.member
  }
  project = var.project.id
  topic   = google_pubsub_topic.sync.name
  role    = "roles/pubsub.publisher"
  member  = each.value
}

resource "google_cloud_scheduler_job" "sync" {
  project   = var.project.id
  region    = var.location
  name      = "workspace-sync-tick"
  schedule  = "*/15 * * * *"
  time_zone = "Etc/UTC"

  pubsub_target {
    topic_name = google_pubsub_topic.sync.id
    attributes = {
      kind = "tick"
    }
  }
}
