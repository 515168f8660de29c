# Terraform makes this value itself, from what Redis tells; it is in the state as the instance's `auth_string`.
resource "google_secret_manager_secret_version" "redis_url" {
  secret                 = module.secrets.references["redis-url"].secret
  secret_data_wo         = module.network.redis_url
  secret_data_wo_version = var.redis_url_version
  deletion_policy        = "DISABLE"
}
