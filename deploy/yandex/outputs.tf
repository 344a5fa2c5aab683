output "url" {
  description = "Where clients connect, with ?image=team/app&tag=v*&events=create-image-tag as they like"
  value       = "wss://${yandex_api_gateway.regcast.domain}/ws"
}

output "url_all" {
  description = "Where clients connect that want everything"
  value       = "wss://${yandex_api_gateway.regcast.domain}/all"
}

output "registry" {
  description = "Where to push: this, a slash and the image's name"
  value       = "cr.yandex/${local.registry_id}"
}

output "gateway_id" {
  description = "For yc serverless api-gateway get"
  value       = yandex_api_gateway.regcast.id
}
