locals {
  seconds_of_a_day = 24 * 60 * 60
}

# Answers of workflows that are too large for a document. They go with their execution.
resource "google_storage_bucket" "artifacts" {
  #checkov:skip=CKV_GCP_62:Reads are told by Cloud Audit Logs.
  #checkov:skip=CKV_GCP_78:What is deleted must be gone; soft deletion covers a week of mistakes.
  project                     = var.project.id
  name                        = "${var.project.id}-artifacts"
  location                    = var.location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  soft_delete_policy {
    retention_duration_seconds = 7 * local.seconds_of_a_day
  }
}

# The ends of the audit trail's chains, out of reach of who can write to the database.
resource "google_storage_bucket" "anchors" {
  #checkov:skip=CKV_GCP_62:Reads are told by Cloud Audit Logs.
  #checkov:skip=CKV_GCP_78:No object is ever written twice: the retention forbids it.
  project                     = var.project.id
  name                        = "${var.project.id}-audit-anchors"
  location                    = var.location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  retention_policy {
    retention_period = var.anchor_days * local.seconds_of_a_day
    is_locked        = var.is_locked
  }
}
