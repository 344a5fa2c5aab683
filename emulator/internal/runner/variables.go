package runner

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// reserved are the variables that a Lambda function's definition cannot set.
func reserved(name string) bool {
	switch name {
	case "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME",
		"AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
		"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR":
		return true
	}
	return false
}

// inherited are the variables of the host without which programs do not start. Nothing else of the host reaches a process: least of all
// the developer's credentials, profiles and proxies.
func inherited(name string) bool {
	switch strings.ToUpper(name) {
	case "PATH", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT":
		return true
	}
	return false
}

// variables are the environment of e's process: what the host must give, what the house gives, what the user sets, what Lambda sets.
func (e *environment) variables() []string {
	d, tmp, region := e.def, e.tmp(), e.runner.o.Region
	vars := map[string]string{
		"PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
		"HOME": tmp, "TMPDIR": tmp, "TMP": tmp, "TEMP": tmp, "USERPROFILE": tmp,
		"TZ": ":UTC", "LANG": "en_US.UTF-8",
		"LD_LIBRARY_PATH":            d.dir + ":" + filepath.Join(d.dir, "lib"),
		"AWS_REGION":                 region,
		"AWS_DEFAULT_REGION":         region,
		"AWS_ACCESS_KEY_ID":          "test",
		"AWS_SECRET_ACCESS_KEY":      "test",
		"AWS_SESSION_TOKEN":          "test",
		"AWS_EC2_METADATA_DISABLED":  "true",
		"AWS_XRAY_CONTEXT_MISSING":   "LOG_ERROR",
		"AWS_XRAY_DAEMON_ADDRESS":    "127.0.0.1:2000",
		"AWS_LAMBDA_LOG_GROUP_NAME":  "/aws/lambda/" + d.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME": fmt.Sprintf("%s/[%s]%s", e.runner.o.Clock.Now().Format("2006/01/02"), d.Version, strings.ReplaceAll(newID(), "-", "")),
	}
	for _, pair := range e.runner.o.Host {
		if name, value, ok := strings.Cut(pair, "="); ok && inherited(name) {
			vars[name] = value
		}
	}
	maps.Copy(vars, e.runner.o.Env(d.Function))
	for name, value := range d.Env {
		if d.Entry != "" || !reserved(name) { // Yandex Cloud reserves none of them
			vars[name] = value
		}
	}
	maps.Copy(vars, map[string]string{
		"_HANDLER":                        d.HandlerName,
		"AWS_LAMBDA_FUNCTION_NAME":        d.Name,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(d.memory),
		"AWS_LAMBDA_FUNCTION_VERSION":     d.Version,
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_RUNTIME_API":          e.api.addr,
		"LAMBDA_TASK_ROOT":                d.dir,
		"LAMBDA_RUNTIME_DIR":              "/var/runtime",
	})
	list := make([]string, 0, len(vars))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		list = append(list, name+"="+vars[name])
	}
	return list
}
