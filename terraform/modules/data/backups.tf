locals {
  backup_storage_agent = "serviceAccount:service-${var.backup.project_number}@gs-project-accounts.iam.gserviceaccount.com"
  firestore_agent      = "serviceAccount:service-${var.project.number}@gcp-sa-firestore.iam.gserviceaccount.com"
}

resource "google_project_service" "backups" {
  for_each           = toset(["cloudkms.googleapis.com", "storage.googleapis.com"])
  project            = var.backup.project_id
  service            = each.value
  disable_on_destroy = false
}

resource "google_kms_key_ring" "backups" {
  project  = var.backup.project_id
  name     = "backups"
  location = var.backup.location

  depends_on = [google_project_service.backups]
}

resource "google_kms_crypto_key" "backups" {
  name                       = "backups"
  key_ring                   = google_kms_key_ring.backups.id
  rotation_period            = "7776000s"
  destroy_scheduled_duration = "10368000s"

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_kms_crypto_key_iam_member" "backups" {
  crypto_key_id = google_kms_crypto_key.backups.id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = local.backup_storage_agent
}

# In another project: who can delete the database cannot delete its exports.
resource "google_storage_bucket" "backups" {
  #checkov:skip=CKV_GCP_62:Reads are told by Cloud Audit Logs.
  #checkov:skip=CKV_GCP_78:No object is ever written twice: the retention forbids it.
  project                     = var.backup.project_id
  name                        = "${var.backup.project_id}-firestore"
  location                    = var.backup.location
  storage_class               = "COLDLINE"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  encryption {
    default_kms_key_name = google_kms_crypto_key.backups.id
  }

  retention_policy {
    retention_period = var.backup.retention_days * local.seconds_of_a_day
    is_locked        = var.is_locked
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = var.backup.retention_days + 1
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.backups]
}
