terraform {
  backend "gcs" {
    bucket = "infinity-x-production-terraform"
    prefix = "platform"
  }
}
