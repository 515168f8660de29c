output "member" {
  description = "The job's identity, as a member of a policy."
  value       = google_service_account.this.member
}

output "name" {
  description = "Name of the job."
  value       = google_cloud_run_v2_job.this.name
}
