package guard

import (
	"net"
	"strings"
)

// Metadata is the address at which a cloud's machines learn about themselves.
const Metadata = "169.254.169.254"

// Cloud tells whether a host, with or without a port, belongs to a cloud that regcast stands for: no function may reach it.
func Cloud(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	switch host {
	case Metadata, "fd00:ec2::254", "metadata.google.internal":
		return true
	}
	for _, domain := range [...]string{
		"amazonaws.com", "amazonaws.com.cn", "api.aws", "aws.dev",
		"yandexcloud.net", "cloud.yandex.net", "yandexcloud.kz", "yandex.cloud",
	} {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return false
}
