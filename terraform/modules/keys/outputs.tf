output "credentials_key" {
  description = "Id of the key of credentials: `KMS_CREDENTIALS_KEY`."
  value       = google_kms_crypto_key.credentials.id
}

output "mac_key" {
  description = "Id of the MAC key's version: `KMS_MAC_KEY`."
  value       = "${google_kms_crypto_key.mac.id}/cryptoKeyVersions/1"
}
