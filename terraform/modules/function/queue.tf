resource "google_cloud_tasks_queue" "this" {
  for_each = var.queues
  project  = var.project.id
  location = var.location
  name     = each.key

  rate_limits {
    max_concurrent_dispatches = each.value.max_concurrent
    max_dispatches_per_second = each.value.max_per_second
  }

  retry_config {
    max_attempts = each.value.max_attempts
    min_backoff  = "${each.value.min_backoff_seconds}s"
    max_backoff  = "${each.value.max_backoff_seconds}s"
  }

  stackdriver_logging_config {
    sampling_ratio = 0.01
  }
}

resource "google_cloud_tasks_queue_iam_member" "enqueuer" {
  for_each = var.queues
  project  = var.project.id
  location = var.location
  name     = google_cloud_tasks_queue.this[each.key].name
  role     = "roles/cloudtasks.enqueuer"
  member   = google_service_account.this.member
}

# A task carries a token of the caller, so that who makes it must be able to act as the caller.
resource "google_service_account_iam_member" "tasks" {
  count              = length(var.queues) > 0 ? 1 : 0
  service_account_id = google_service_account.caller[0].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.this.member
}
