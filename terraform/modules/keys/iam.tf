resource "google_kms_crypto_key_iam_member" "decrypter" {
  for_each      = var.decrypters
  crypto_key_id = google_kms_crypto_key.credentials.id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value
}

resource "google_kms_crypto_key_iam_member" "opener" {
  for_each      = var.openers
  crypto_key_id = google_kms_crypto_key.credentials.id
  role          = "roles/cloudkms.cryptoKeyDecrypter"
  member        = each.value
}

resource "google_kms_crypto_key_iam_member" "viewer" {
  for_each      = var.viewers
  crypto_key_id = google_kms_crypto_key.credentials.id
  role          = "roles/cloudkms.viewer"
  member        = each.value
}

resource "google_kms_crypto_key_iam_member" "signer" {
  for_each      = var.signers
  crypto_key_id = google_kms_crypto_key.mac.id
  role          = "roles/cloudkms.signer"
  member        = each.value
}
