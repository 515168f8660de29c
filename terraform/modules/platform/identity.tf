resource "google_firebase_project" "this" {
  provider = google-beta
  project  = var.project.id

  depends_on = [google_project_service.this]
}

# Sign-in of the users. It is made once and cannot be deleted.
resource "google_identity_platform_config" "this" {
  project                    = var.project.id
  authorized_domains         = var.authorized_domains
  autodelete_anonymous_users = true

  sign_in {
    allow_duplicate_emails = false
    email {
      enabled           = true
      password_required = true
    }
  }

  mfa {
    state = "ENABLED"
    provider_configs {
      state = "ENABLED"
      totp_provider_config {
        adjacent_intervals = 1
      }
    }
  }

  depends_on = [google_firebase_project.this]
}
