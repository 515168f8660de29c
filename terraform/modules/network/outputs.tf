output "address" {
  description = "IPv4 address that the domain's A record leads to."
  value       = google_compute_global_address.edge.address
}

output "certificate" {
  description = "Name of the managed certificate."
  value       = google_compute_managed_ssl_certificate.this.name
}

output "egress" {
  description = "Network and subnetwork of functions that reach private addresses."
  value = {
    network    = google_compute_network.this.id
    subnetwork = google_compute_subnetwork.functions.id
  }
}

output "redis_ca" {
  description = "Certificates that Redis' own is signed by, in PEM; two while one replaces the other."
  value       = join("\n", google_redis_instance.this.server_ca_certs[*].cert)
}

output "redis_url" {
  description = "URL of Redis with its password."
  value       = "rediss://:${google_redis_instance.this.auth_string}@${google_redis_instance.this.host}:${google_redis_instance.this.port}"
  sensitive   = true
}
