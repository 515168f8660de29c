output "deployer" {
  description = "E-mail address of the account that deploys."
  value       = google_service_account.deploy.email
}

output "registry" {
  description = "Where images are pushed to, without the function's name."
  value       = "${var.location}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.images.repository_id}"
}

output "repository" {
  description = "Name of the repository of images."
  value       = google_artifact_registry_repository.images.name
}
