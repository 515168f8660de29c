locals {
  seconds_of_a_day = 24 * 60 * 60
}

resource "google_kms_key_ring" "this" {
  project  = var.project_id
  name     = "infinity-x"
  location = var.location
}

# Seals the credentials of connected services, by way of a data key for each.
resource "google_kms_crypto_key" "credentials" {
  name                       = "credentials"
  key_ring                   = google_kms_key_ring.this.id
  purpose                    = "ENCRYPT_DECRYPT"
  rotation_period            = "${var.rotation_days * local.seconds_of_a_day}s"
  destroy_scheduled_duration = "${var.destroy_after_days * local.seconds_of_a_day}s"

  version_template {
    algorithm        = "GOOGLE_SYMMETRIC_ENCRYPTION"
    protection_level = var.protection_level
  }

  lifecycle {
    prevent_destroy = true
  }
}

# Chains the audit trail, and makes the tokens of invitations and webhooks. Its one version is for life: a chain is
# verified with the version that it was written with. Cloud KMS rotates no MAC keys.
resource "google_kms_crypto_key" "mac" {
  #checkov:skip=CKV_GCP_43:Cloud KMS rotates no MAC keys, and a chain is verified with the version that wrote it.
  name                       = "mac"
  key_ring                   = google_kms_key_ring.this.id
  purpose                    = "MAC"
  destroy_scheduled_duration = "${var.destroy_after_days * local.seconds_of_a_day}s"

  version_template {
    algorithm        = "HMAC_SHA256"
    protection_level = var.protection_level
  }

  lifecycle {
    prevent_destroy = true
  }
}
