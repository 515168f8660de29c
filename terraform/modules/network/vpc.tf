resource "google_compute_network" "this" {
  project                 = var.project_id
  name                    = "infinity-x"
  auto_create_subnetworks = false
}

# Where the instances of functions with Direct VPC egress get their addresses.
resource "google_compute_subnetwork" "functions" {
  #checkov:skip=CKV_GCP_76:The instances have no IPv6.
  project                  = var.project_id
  name                     = "functions"
  region                   = var.location
  network                  = google_compute_network.this.id
  ip_cidr_range            = var.subnet_cidr
  private_ip_google_access = true

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "EXCLUDE_ALL_METADATA"
  }
}

# Instances take no connections through the network: requests come to them from Cloud Run.
resource "google_compute_firewall" "deny_ingress" {
  project       = var.project_id
  name          = "deny-ingress"
  network       = google_compute_network.this.id
  direction     = "INGRESS"
  priority      = 65534
  source_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }
}

resource "google_compute_global_address" "services" {
  project       = var.project_id
  name          = "google-services"
  network       = google_compute_network.this.id
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  prefix_length = 20
}

resource "google_service_networking_connection" "services" {
  network                 = google_compute_network.this.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.services.name]
}
