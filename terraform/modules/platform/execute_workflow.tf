module "execute_workflow" {
  source              = "../function"
  name                = "execute-workflow"
  image               = var.images["execute-workflow"]
  project             = var.project
  location            = var.location
  database            = module.data.database
  network             = module.network.egress
  deletion_protection = var.deletion_protection
  concurrency         = 20
  max_instances       = 100
  memory              = "1Gi"
  min_instances       = lookup(var.min_instances, "execute-workflow", 0)
  timeout_seconds     = 600
  url                 = local.urls["execute-workflow"]

  environment = merge(
    local.service_environment,
    local.audit_environment,
    local.mail_environment,
    local.model_environment,
    local.vault_environment,
    {
      ARTIFACTS_BUCKET        = module.data.artifacts_bucket
      EGRESS_PORTS            = var.egress_ports
      EMBEDDING_MODEL         = var.llm.embedding_model
      EVENTS_AUDIENCE         = local.urls["execute-workflow"]
      EVENTS_SERVICE_ACCOUNTS = local.callers["execute-workflow"]
      EVENTS_SIGNATURE_CHECK  = "cloud_run"
      LEASE_SECS              = var.lease_seconds
      LLM_DEFAULT_MODEL       = var.llm.default_model
      LLM_TIMEOUT_SECS        = var.llm.timeout_seconds
      MAX_GRAPH_NODES         = var.max_graph_nodes
      MAX_STEPS               = var.max_steps
      TASKS_QUEUE             = local.queues.executions
      TASKS_SERVICE_ACCOUNT   = local.callers["execute-workflow"]
      TASKS_TARGET_URL        = local.urls["execute-workflow"]
    },
  )

  secrets = merge(local.mail_secrets, local.model_secrets, local.vault_secrets)

  roles = merge(local.model_roles, {
    "ends accounts" = google_project_iam_custom_role.account_eraser.id
  })

  events = {
    for document in ["triggers", "wakeups"] : "${document}-written" => {
      content_type = "application/protobuf"
      filters      = { database = "(default)" }
      location     = var.location
      patterns     = { document = "${document}/{id}" }
      type         = "google.cloud.firestore.document.v1.written"
    }
  }

  queues = {
    executions = {}
  }

  schedules = {
    schedule = { cron = "* * * * *", path = "/schedule", attempt_deadline_seconds = 180 }
    sweep    = { cron = "* * * * *", path = "/sweep", attempt_deadline_seconds = 180 }
  }
}
