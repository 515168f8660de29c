output "alerts" {
  description = "Names of the alerts, which are those of their runbooks."
  value       = keys(local.alerts)
}
