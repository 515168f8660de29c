# An example: replace the project, its number, and what belongs to you.
alert_emails = ["oncall@example.com"]
app_url      = "https://app.example.com"
domain       = "api.example.com"
email_from   = "noreply@example.com"
location     = "europe-west3"
runbooks_url = "https://github.com/example/infinity-x/blob/main/docs/runbooks"
state_bucket = "infinity-x-production-terraform"

backup_project = {
  id     = "infinity-x-production-backups"
  number = "200000000001"
}

budget = {
  billing_account = "000000-000000-000000"
  monthly_units   = 500
}

drill_project = {
  id     = "infinity-x-staging"
  number = "100000000002"
}

llm = {
  providers = ["openai"]
}

project = {
  id     = "infinity-x-production"
  number = "100000000001"
}

repository = {
  url = "https://github.com/example/infinity-x.git"
}
