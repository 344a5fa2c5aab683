variable "folder_id" {
  type        = string
  description = "The folder to deploy to: b1g…"
  validation {
    condition     = can(regex("^[a-z0-9]{1,50}$", var.folder_id))
    error_message = "Want a folder's id, as `yc config get folder-id` prints it."
  }
}

variable "name" {
  type        = string
  default     = "regcast"
  description = "The name of what is made, or the start of it"
  validation {
    condition     = can(regex("^[a-z][-a-z0-9]{1,49}[a-z0-9]$", var.name))
    error_message = "Want 3 to 51 lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "registry_id" {
  type        = string
  default     = ""
  description = "An existing registry (crp…) of the same cloud; a new one is made when this is empty"
  validation {
    condition     = can(regex("^[a-z0-9]{0,50}$", var.registry_id))
    error_message = "Want a registry's id, as `yc container registry list` prints it."
  }
}

variable "image_name" {
  type        = string
  default     = ""
  description = "Tell of this repository only, as in team/app; of all when this is empty. Clients choose for themselves among what is told"
}

variable "tag" {
  type        = string
  default     = ""
  description = "Tell of this tag only. Events without a tag, as of new images, are then not told of"
}

variable "batch_size" {
  type        = number
  default     = 10
  description = "Events in one batch at most"
  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 1000 && floor(var.batch_size) == var.batch_size
    error_message = "Want a whole number from 1 to 1000."
  }
}

variable "batch_cutoff" {
  type        = number
  default     = 1
  description = "Seconds that a batch waits for more events"
  validation {
    condition     = var.batch_cutoff >= 1 && var.batch_cutoff <= 60 && floor(var.batch_cutoff) == var.batch_cutoff
    error_message = "Want a whole number of seconds from 1 to 60."
  }
}

variable "table_endpoint" {
  type        = string
  default     = ""
  description = "An existing Document API to keep the clients in, as regcast's own is; a database is made when this is empty"
}

variable "format" {
  type        = string
  default     = "yandex"
  description = "What clients receive from the function"
  validation {
    condition     = contains(["yandex", "ecr", "cloudevents"], var.format)
    error_message = "Allowed: yandex, ecr, cloudevents."
  }
}

variable "log_level" {
  type        = string
  default     = "info"
  description = "Of the functions"
  validation {
    condition     = contains(["debug", "info", "warn", "error"], var.log_level)
    error_message = "Allowed: debug, info, warn, error."
  }
}

variable "capture_to" {
  type        = string
  default     = "no"
  description = "Where all events are kept for regcast to replay: no, log (the function's), or the name of a bucket that is there"
  validation {
    condition     = can(regex("^(no|log|[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])$", var.capture_to))
    error_message = "Want no, log, or a bucket's name."
  }
}
