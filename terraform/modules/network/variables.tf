variable "domain" {
  description = "Host name of the API, such as `api.example.com`; its A record leads to `address`."
  type        = string
}

variable "functions" {
  description = "Services behind the load balancer, by the paths that lead to them. The one under `/*` gets all else. With `rewrite` the service sees that path."
  type = map(object({
    name    = string
    rewrite = optional(string)
  }))

  validation {
    condition     = contains(keys(var.functions), "/*")
    error_message = "One service must take `/*`."
  }
}

variable "location" {
  description = "Region of the functions and of Redis."
  type        = string
}

variable "project_id" {
  description = "Project of the network."
  type        = string
}

variable "redis_memory_gb" {
  description = "Memory of Redis in GB; budgets and rate limits need little."
  type        = number
  default     = 1
}

variable "requests_per_minute" {
  description = "Requests of one IP address in a minute that the load balancer lets through: the outer ring, wider than the functions' own limits."
  type        = number
  default     = 600
}

variable "subnet_cidr" {
  description = "Addresses of the functions' instances, /26 or larger."
  type        = string
  default     = "10.8.0.0/24"
}
