module "on_user_create" {
  source              = "../function"
  name                = "on-user-create"
  image               = var.images["on-user-create"]
  project             = var.project
  location            = var.location
  database            = module.data.database
  deletion_protection = var.deletion_protection
  min_instances       = lookup(var.min_instances, "on-user-create", 0)
  url                 = local.urls["on-user-create"]

  environment = merge(local.service_environment, local.audit_environment, local.mail_environment, {
    EVENTS_AUDIENCE         = local.urls["on-user-create"]
    EVENTS_SERVICE_ACCOUNTS = local.callers["on-user-create"]
    EVENTS_SIGNATURE_CHECK  = "cloud_run"
  })

  secrets = local.mail_secrets

  # In Preview: the API makes a missing user on the first call.
  events = {
    user-created = {
      location = "global"
      type     = "google.firebase.auth.user.v2.created"
    }
  }
}
