# Every WebSocket client knows of an image seconds after it was pushed to Container Registry:
#   registry → trigger → broadcast → ConnectionService → clients of /ws, which connect, message and disconnect keep in a table;
#   registry → trigger → the gateway's own broadcast → clients of /all.
# `make deploy-yandex` ships it. regcast runs openapi.yaml and trigger.yaml here, as they are. See docs/DEPLOY.md.

terraform {
  required_version = ">= 1.5"
  required_providers {
    yandex = {
      source  = "yandex-cloud/yandex"
      version = ">= 0.221"
    }
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
}

provider "yandex" {
  folder_id = var.folder_id
}

# The table is made through YDB's Document API, which is DynamoDB's: a table that is made otherwise cannot be reached through it.
provider "aws" {
  region     = "ru-central1"
  access_key = yandex_iam_service_account_static_access_key.functions.access_key
  secret_key = yandex_iam_service_account_static_access_key.functions.secret_key
  # The first plan comes before the key, signs nothing, and yet wants to have something to sign with.
  shared_credentials_files = ["${path.module}/plan.credentials"]
  endpoints {
    dynamodb = local.table_endpoint
  }
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true
}

locals {
  registry_id    = var.registry_id != "" ? var.registry_id : yandex_container_registry.regcast[0].id
  table_endpoint = var.table_endpoint != "" ? var.table_endpoint : yandex_ydb_database_serverless.regcast[0].document_api_endpoint
  zip            = "${path.module}/../../dist/yandex.zip"
  functions = merge({
    connect    = { entrypoint = "index.Connect", seconds = 10 }
    message    = { entrypoint = "index.Message", seconds = 10 }
    disconnect = { entrypoint = "index.Disconnect", seconds = 10 }
    broadcast  = { entrypoint = "index.Broadcast", seconds = 60 }
  }, var.capture_to == "no" ? {} : { capture = { entrypoint = "index.Capture", seconds = 60 } })
  # Of capture; empty: its log.
  bucket = contains(["no", "log"], var.capture_to) ? "" : var.capture_to
}

# Who calls functions, and who they are.

resource "yandex_iam_service_account" "caller" {
  name        = "${var.name}-caller"
  description = "Calls regcast's functions for the gateway and the trigger, and broadcasts for the other trigger"
}

resource "yandex_function_iam_member" "caller" {
  for_each    = yandex_function.regcast
  function_id = each.value.id
  role        = "functions.functionInvoker"
  member      = "serviceAccount:${yandex_iam_service_account.caller.id}"
}

resource "yandex_iam_service_account" "functions" {
  name        = "${var.name}-functions"
  description = "Keeps regcast's connections and writes to them"
}

resource "yandex_ydb_database_iam_binding" "functions" {
  count       = length(yandex_ydb_database_serverless.regcast)
  database_id = yandex_ydb_database_serverless.regcast[0].id
  role        = "ydb.editor"
  members     = ["serviceAccount:${yandex_iam_service_account.functions.id}"]
}

# A gateway has no roles of its own in the documentation, only its folder.
resource "yandex_resourcemanager_folder_iam_member" "functions" {
  folder_id = var.folder_id
  role      = "api-gateway.websocketWriter"
  member    = "serviceAccount:${yandex_iam_service_account.functions.id}"
}

resource "yandex_resourcemanager_folder_iam_member" "capture" {
  count     = local.bucket == "" ? 0 : 1
  folder_id = var.folder_id
  role      = "storage.uploader"
  member    = "serviceAccount:${yandex_iam_service_account.functions.id}"
}

resource "yandex_resourcemanager_folder_iam_member" "caller" {
  folder_id = var.folder_id
  role      = "api-gateway.websocketBroadcaster"
  member    = "serviceAccount:${yandex_iam_service_account.caller.id}"
}

# From the registry to the clients.

resource "yandex_container_registry" "regcast" {
  count = var.registry_id == "" ? 1 : 0
  name  = var.name
}

# Clients of /ws get what they wish for, with more tries when the first fails.
resource "yandex_function_trigger" "regcast" {
  name        = var.name
  description = "Tells regcast's broadcast of images"
  container_registry {
    registry_id      = local.registry_id
    image_name       = var.image_name != "" ? var.image_name : null
    tag              = var.tag != "" ? var.tag : null
    create_image     = true
    delete_image     = true
    create_image_tag = true
    delete_image_tag = true
    batch_size       = var.batch_size
    batch_cutoff     = var.batch_cutoff
  }
  function {
    id                 = yandex_function.regcast["broadcast"].id
    service_account_id = yandex_iam_service_account.caller.id
    retry_attempts     = 3
    retry_interval     = 10
  }
  depends_on = [yandex_function_iam_member.caller]
}

# Beside it all: every event as it came.
resource "yandex_function_trigger" "capture" {
  count       = var.capture_to == "no" ? 0 : 1
  name        = "${var.name}-capture"
  description = "Has all events kept for regcast to replay"
  container_registry {
    registry_id      = local.registry_id
    create_image     = true
    delete_image     = true
    create_image_tag = true
    delete_image_tag = true
    batch_size       = var.batch_size
    batch_cutoff     = var.batch_cutoff
  }
  function {
    id                 = yandex_function.regcast["capture"].id
    service_account_id = yandex_iam_service_account.caller.id
    retry_attempts     = 5
    retry_interval     = 60
  }
  depends_on = [yandex_function_iam_member.caller, yandex_resourcemanager_folder_iam_member.capture]
}

# Clients of /all get everything, once and without another try: no function runs. Both kinds of triggers share a folder's names.
resource "yandex_serverless_triggers" "regcast" {
  folder_id   = var.folder_id
  name        = "${var.name}-all"
  description = "Tells all clients of images"
  source = {
    container_registry = {
      registry_id = local.registry_id
      image_name  = var.image_name != "" ? var.image_name : null
      tag         = var.tag != "" ? var.tag : null
      event_type = [
        "CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE",
        "CONTAINER_REGISTRY_EVENT_TYPE_DELETE_IMAGE",
        "CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG",
        "CONTAINER_REGISTRY_EVENT_TYPE_DELETE_IMAGE_TAG",
      ]
      batch_settings = {
        max_count = var.batch_size
        cutoff    = "${var.batch_cutoff}s"
      }
    }
  }
  action = [{
    gateway_websocket_broadcast = {
      gateway_id         = yandex_api_gateway.regcast.id
      path               = "/all"
      service_account_id = yandex_iam_service_account.caller.id
    }
  }]
  depends_on = [yandex_resourcemanager_folder_iam_member.caller]
}

resource "yandex_function" "regcast" {
  for_each           = local.functions
  name               = "${var.name}-${each.key}"
  description        = "See functions/yandex of regcast"
  runtime            = "golang123"
  entrypoint         = each.value.entrypoint
  memory             = 128
  execution_timeout  = each.value.seconds
  service_account_id = yandex_iam_service_account.functions.id
  user_hash          = filesha256(local.zip)
  content {
    zip_filename = local.zip
  }
  environment = {
    REGCAST_TABLE          = aws_dynamodb_table.connections.name
    REGCAST_TABLE_ENDPOINT = local.table_endpoint
    REGCAST_FORMAT         = var.format
    REGCAST_LOG_LEVEL      = var.log_level
    REGCAST_BUCKET         = local.bucket
    REGCAST_TIMEOUT        = "${each.value.seconds - 5}s" # the cloud does not tell functions how long they have
  }
}

resource "yandex_api_gateway" "regcast" {
  name        = var.name
  description = "Clients that want to know of images"
  spec = replace(replace(replace(replace(file("${path.module}/openapi.yaml"),
    "d4econnect0000000000", yandex_function.regcast["connect"].id),
    "d4emessage0000000000", yandex_function.regcast["message"].id),
    "d4edisconnect0000000", yandex_function.regcast["disconnect"].id),
  "ajeregcast0000000000", yandex_iam_service_account.caller.id)
  depends_on = [yandex_function_iam_member.caller]
}

# Which client wants what.

resource "yandex_ydb_database_serverless" "regcast" {
  count = var.table_endpoint == "" ? 1 : 0
  name  = var.name
}

# Only for Terraform, to make the table with: the functions sign in with tokens of their own. It is in the state, so keep that safe.
resource "yandex_iam_service_account_static_access_key" "functions" {
  service_account_id = yandex_iam_service_account.functions.id
  description        = "Makes regcast's table"
}

resource "aws_dynamodb_table" "connections" {
  name         = "connections"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "pk"
  range_key    = "sk"
  attribute {
    name = "pk"
    type = "S"
  }
  attribute {
    name = "sk"
    type = "S"
  }
  ttl {
    attribute_name = "ttl"
    enabled        = true
  }
  depends_on = [yandex_ydb_database_iam_binding.functions]
}
