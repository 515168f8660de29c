resource "google_artifact_registry_repository" "images" {
  #checkov:skip=CKV_GCP_84:Images hold no secrets and are open source by their SBOM; Google's keys do.
  project       = var.project_id
  location      = var.location
  repository_id = "infinity-x"
  format        = "DOCKER"
  description   = "One image for each function"

  docker_config {
    immutable_tags = true
  }

  vulnerability_scanning_config {
    enablement_config = "INHERITED"
  }

  cleanup_policies {
    id     = "keep-releases"
    action = "KEEP"
    most_recent_versions {
      keep_count = 20
    }
  }

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      older_than = "7776000s"
    }
  }
}

# What a build leaves beside its images: lists of what is in them.
resource "google_storage_bucket" "builds" {
  #checkov:skip=CKV_GCP_62:Reads are told by Cloud Audit Logs.
  project                     = var.project_id
  name                        = "${var.project_id}-builds"
  location                    = var.location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }
}

resource "google_storage_bucket_iam_member" "builds" {
  bucket = google_storage_bucket.builds.name
  role   = "roles/storage.objectCreator"
  member = google_service_account.build.member
}

# Only what Cloud Build has built in this project runs; it signs an attestation for each image of a build. Its attestor
# is there from the first build on, so that there is no policy before there are images.
resource "google_binary_authorization_policy" "this" {
  count                         = var.is_built ? 1 : 0
  project                       = var.project_id
  global_policy_evaluation_mode = "ENABLE"

  default_admission_rule {
    evaluation_mode         = "REQUIRE_ATTESTATION"
    enforcement_mode        = "ENFORCED_BLOCK_AND_AUDIT_LOG"
    require_attestations_by = ["projects/${var.project_id}/attestors/built-by-cloud-build"]
  }
}
