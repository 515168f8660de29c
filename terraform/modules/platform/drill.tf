# Restores the newest export into a database of another project each quarter, compares it with this one and deletes it.
locals {
  # A module can be there once or not at all.
  drills = var.drill == null ? {} : { drill = var.drill }
}

module "drill" {
  source              = "../job"
  for_each            = local.drills
  name                = "drill"
  image               = var.images["drill"]
  arguments           = ["run"]
  project_id          = var.project.id
  location            = var.location
  database            = module.data.database
  database_role       = "roles/datastore.viewer"
  deletion_protection = var.deletion_protection
  memory              = "2Gi"
  retries             = 0
  schedule            = "0 6 1 1,4,7,10 *"
  timeout_seconds     = 43200

  environment = merge(local.environment, local.audit_environment, {
    AUDIT_ANCHOR_BUCKET = module.data.anchors_bucket
    BACKUP_BUCKET       = module.data.backups_bucket
    DRILL_LOCATION      = var.location
    DRILL_PROJECT       = each.value.project_id
    KMS_CREDENTIALS_KEY = module.keys.credentials_key
  })

  roles = {
    "reads the rules in force" = "roles/firebaserules.viewer"
  }
}

# Looks each hour when a drill has passed; the alert `drill-overdue` wants to hear of it.
module "drill_age" {
  source               = "../job"
  for_each             = local.drills
  name                 = "drill-age"
  image                = local.cloud_cli
  binary_authorization = false
  command              = ["/bin/bash", "-c"]
  arguments            = [file("${var.root}/scripts/newest-age.sh")]
  project_id           = var.project.id
  location             = var.location
  deletion_protection  = var.deletion_protection
  schedule             = "45 * * * *"
  timeout_seconds      = 300

  environment = {
    FRESH_MESSAGE        = "restore drill is recent"
    GOOGLE_CLOUD_PROJECT = local.environment.GOOGLE_CLOUD_PROJECT
    LIMIT_HOURS          = 100 * 24
    OBJECTS              = "gs://${module.data.anchors_bucket}/drills/passed/**"
  }
}

# The anchors of the audit trail, and reports of earlier drills.
resource "google_storage_bucket_iam_member" "drill_reader" {
  for_each = merge(
    { for name, drill in module.drill : name => drill.member },
    { for name, drill in module.drill_age : "${name}-age" => drill.member },
  )
  bucket = module.data.anchors_bucket
  role   = "roles/storage.objectViewer"
  member = each.value
}

# Its reports, which the bucket keeps from being changed, and no anchors.
resource "google_storage_bucket_iam_member" "drill_reports" {
  for_each = module.drill
  bucket   = module.data.anchors_bucket
  role     = "roles/storage.objectCreator"
  member   = each.value.member

  condition {
    title      = "its reports"
    expression = "resource.name.startsWith(\"projects/_/buckets/${module.data.anchors_bucket}/objects/drills/\")"
  }
}

# What names no database yet.
resource "google_project_iam_custom_role" "drill_maker" {
  for_each    = local.drills
  project     = each.value.project_id
  role_id     = "drillMaker"
  title       = "Makes databases and lists triggers"
  permissions = ["datastore.databases.create", "eventarc.triggers.list"]
}

resource "google_project_iam_member" "drill_maker" {
  for_each = local.drills
  project  = each.value.project_id
  role     = google_project_iam_custom_role.drill_maker[each.key].id
  member   = module.drill[each.key].member
}

# What it does to databases of drills, and not to the one in use there.
resource "google_project_iam_custom_role" "drill_database" {
  for_each = local.drills
  project  = each.value.project_id
  role_id  = "drillDatabase"
  title    = "Fills, reads and deletes databases"
  permissions = [
    "datastore.databases.delete",
    "datastore.databases.get",
    "datastore.databases.getMetadata",
    "datastore.databases.import",
    "datastore.entities.get",
    "datastore.entities.list",
    "datastore.operations.get",
  ]
}

resource "google_project_iam_member" "drill_database" {
  for_each = local.drills
  project  = each.value.project_id
  role     = google_project_iam_custom_role.drill_database[each.key].id
  member   = module.drill[each.key].member

  condition {
    title      = "databases of drills"
    expression = "resource.name.startsWith(\"projects/${each.value.project_id}/databases/drill-\")"
  }
}
