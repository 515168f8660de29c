terraform {
  backend "gcs" {
    bucket = "infinity-x-staging-terraform"
    prefix = "platform"
  }
}
