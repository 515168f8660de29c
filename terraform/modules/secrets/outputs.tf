output "references" {
  description = "For each secret, by name, its id and the version that functions start with."
  value = {
    for name, secret in google_secret_manager_secret.this : name => {
      secret  = secret.id
      version = lookup(var.versions, name, "1")
    }
  }
}
