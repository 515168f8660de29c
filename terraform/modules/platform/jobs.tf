locals {
  cloud_cli = "gcr.io/google.com/cloudsdktool/google-cloud-cli:528.0.0-slim"
}

# Keeps the ends of the audit trail's chains, daily.
module "audit_anchor" {
  source              = "../job"
  name                = "audit-anchor"
  image               = var.images["audit"]
  arguments           = ["anchor"]
  project_id          = var.project.id
  location            = var.location
  database            = module.data.database
  database_role       = "roles/datastore.viewer"
  deletion_protection = var.deletion_protection
  schedule            = "10 0 * * *"

  environment = merge(local.environment, local.audit_environment, {
    AUDIT_ANCHOR_BUCKET = module.data.anchors_bucket
  })
}

# Walks the chains and compares them with the anchors, daily, as another identity.
module "audit_verify" {
  source              = "../job"
  name                = "audit-verify"
  image               = var.images["audit"]
  arguments           = ["verify"]
  project_id          = var.project.id
  location            = var.location
  database            = module.data.database
  database_role       = "roles/datastore.viewer"
  deletion_protection = var.deletion_protection
  memory              = "2Gi"
  retries             = 0
  schedule            = "0 1 * * *"

  environment = merge(local.environment, local.audit_environment, {
    AUDIT_ANCHOR_BUCKET = module.data.anchors_bucket
  })
}

resource "google_storage_bucket_iam_member" "anchors" {
  bucket = module.data.anchors_bucket
  role   = "roles/storage.objectViewer"
  member = module.audit_verify.member
}

# Who anchors writes no report of a drill.
resource "google_storage_bucket_iam_member" "anchor" {
  bucket = module.data.anchors_bucket
  role   = "roles/storage.objectCreator"
  member = module.audit_anchor.member

  condition {
    title      = "its anchors"
    expression = "resource.name.startsWith(\"projects/_/buckets/${module.data.anchors_bucket}/objects/audit-heads/\")"
  }
}

# Moves credentials to the newest version of their key, weekly.
module "rewrap" {
  source              = "../job"
  name                = "rewrap"
  image               = var.images["rewrap"]
  project_id          = var.project.id
  location            = var.location
  database            = module.data.database
  database_role       = "roles/datastore.user"
  deletion_protection = var.deletion_protection
  schedule            = "0 5 * * 6"

  environment = merge(local.environment, {
    KMS_CREDENTIALS_KEY = module.keys.credentials_key
  })
}

# Compares what Stripe has with what the functions need, weekly: prices, the meter, the portal, and the endpoint with its
# URL, events and version.
module "stripe_verify" {
  source              = "../job"
  name                = "stripe-verify"
  image               = var.images["stripe-setup"]
  arguments           = ["verify", "--webhook-url", "https://${var.domain}/webhooks/stripe"]
  project_id          = var.project.id
  location            = var.location
  deletion_protection = var.deletion_protection
  schedule            = "0 6 * * 1"
  timeout_seconds     = 300

  secrets = {
    STRIPE_API_KEY = module.secrets.references["stripe-verify-api-key"]
  }
}

# Exports the database as it was a minute ago, daily.
module "backup" {
  source               = "../job"
  name                 = "backup"
  image                = local.cloud_cli
  binary_authorization = false
  command              = ["/bin/bash", "-c"]
  arguments            = [file("${var.root}/scripts/backup-export.sh")]
  project_id           = var.project.id
  location             = var.location
  deletion_protection  = var.deletion_protection
  schedule             = "0 2 * * *"
  timeout_seconds      = 21600

  environment = {
    BACKUP_BUCKET        = module.data.backups_bucket
    FIRESTORE_DATABASE   = local.environment.FIRESTORE_DATABASE
    GOOGLE_CLOUD_PROJECT = local.environment.GOOGLE_CLOUD_PROJECT
  }

  roles = {
    "exports the database" = "roles/datastore.importExportAdmin"
  }
}

# Looks each hour how old the newest export is; the alert `backup-age` wants to hear of it.
module "backup_age" {
  source               = "../job"
  name                 = "backup-age"
  image                = local.cloud_cli
  binary_authorization = false
  command              = ["/bin/bash", "-c"]
  arguments            = [file("${var.root}/scripts/newest-age.sh")]
  project_id           = var.project.id
  location             = var.location
  deletion_protection  = var.deletion_protection
  schedule             = "30 * * * *"
  timeout_seconds      = 300

  # Firestore writes this file last.
  environment = {
    FRESH_MESSAGE        = "backup is fresh"
    GOOGLE_CLOUD_PROJECT = local.environment.GOOGLE_CLOUD_PROJECT
    LIMIT_HOURS          = 26
    OBJECTS              = "gs://${module.data.backups_bucket}/**.overall_export_metadata"
  }
}
