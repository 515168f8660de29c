module "sync_google_workspace" {
  source              = "../function"
  name                = "sync-google-workspace"
  image               = var.images["sync-google-workspace"]
  project             = var.project
  location            = var.location
  database            = module.data.database
  network             = module.network.egress
  deletion_protection = var.deletion_protection
  concurrency         = 8
  max_instances       = 50
  memory              = "1Gi"
  min_instances       = lookup(var.min_instances, "sync-google-workspace", 0)
  timeout_seconds     = 600
  url                 = local.urls["sync-google-workspace"]

  environment = merge(
    local.service_environment,
    local.audit_environment,
    local.model_environment,
    local.vault_environment,
    {
      EMBEDDING_MODEL         = var.llm.embedding_model
      EVENTS_AUDIENCE         = local.urls["sync-google-workspace"]
      EVENTS_SERVICE_ACCOUNTS = local.callers["sync-google-workspace"]
      EVENTS_SIGNATURE_CHECK  = "cloud_run"
      GMAIL_TOPIC             = one(google_pubsub_topic.gmail[*].id)
      LLM_TIMEOUT_SECS        = var.llm.timeout_seconds
      SYNC_BUDGET_SECS        = var.sync_budget_seconds
      SYNC_READERS            = var.sync_readers
      SYNC_TOPIC              = google_pubsub_topic.sync.id
    },
  )

  secrets = merge(local.model_secrets, local.vault_secrets)
  roles   = local.model_roles

  subscriptions = merge(
    { workspace-sync = { topic = google_pubsub_topic.sync.id } },
    { for topic in google_pubsub_topic.gmail : topic.name => { topic = topic.id } },
  )
}
