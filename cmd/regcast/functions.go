package main

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/regcast/regcast/emulator"
)

// functionFlags are the flags that say which functions there are.
type functionFlags struct {
	template  string
	overrides []string
	configEnv string
	stack     string
	region    string

	functions  []string
	containers []string
	env        []string
	memory     int
	timeout    time.Duration

	debug      []string
	noWatch    bool
	strictAuth bool
	lazyTTL    bool
	fragment   bool
}

func (f *functionFlags) add(flags *pflag.FlagSet) {
	f.addTemplate(flags, "run an AWS deployment from a SAM or CloudFormation `FILE`; samconfig.toml beside it is read as `sam deploy` does")
	flags.StringArrayVar(&f.functions, "function", nil, "run a Go function of Yandex Cloud from source, `ID=FOLDER:ENTRYPOINT` (repeatable)")
	flags.StringArrayVar(&f.env, "function-env", nil, "set a variable for one function or for all of --function, `[ID:]NAME=VALUE` (repeatable)")
	flags.IntVar(&f.memory, "function-memory", 128, "memory of the functions of --function in `MB`")
	flags.DurationVar(&f.timeout, "function-timeout", 3*time.Second, "`TIMEOUT` of the functions of --function")
	flags.StringArrayVar(&f.containers, "container", nil, "a Serverless Container of Yandex Cloud that runs elsewhere on this machine, `ID=URL` (repeatable)")
	flags.StringArrayVar(&f.debug, "debug", nil, "start this `FUNCTION` (logical id in the template, or --function's id) under a debugger that waits for you (repeatable)")
	flags.BoolVar(&f.noWatch, "no-watch", false, "do not build functions anew when their source changes")
	flags.BoolVar(&f.strictAuth, "strict-auth", false, "check who sends requests to the clouds' APIs and what policies and roles let them do; you are key id regcast with secret regcast at AWS's, and token t1.regcast.local at Yandex Cloud's")
	flags.BoolVar(&f.lazyTTL, "lazy-ttl", false, "leave expired items of DynamoDB tables readable, as the cloud may for days")
	flags.BoolVar(&f.fragment, "fragment-frames", false, "send what is posted to AWS's connections in several frames, as the cloud does now and then")
}

// addTemplate adds the flags that say which template there is.
func (f *functionFlags) addTemplate(flags *pflag.FlagSet, usage string) {
	flags.StringVar(&f.template, "template", "", usage)
	flags.StringArrayVar(&f.overrides, "parameter-overrides", nil, "values for the template's parameters, `'Key=Value …'` (repeatable)")
	flags.StringVar(&f.configEnv, "config-env", "", "the `ENVIRONMENT` of samconfig.toml to read (default: default)")
	flags.StringVar(&f.stack, "stack-name", "", "`NAME` of the template's stack (default: samconfig's, or regcast)")
	flags.StringVar(&f.region, "region", "", "the AWS `REGION` (default: samconfig's, or us-east-1)")
}

// readTemplate reads the template that the flags name, if they do.
func (f *functionFlags) readTemplate(cfg *emulator.Config) error {
	if f.template != "" {
		t, err := emulator.ReadTemplate(f.template, f.configEnv, f.overrides...)
		if err != nil {
			return usageError("--template: %w", err)
		}
		if f.stack != "" {
			t.Stack = f.stack
		}
		if f.region != "" {
			t.Region = f.region
		}
		cfg.Template = t
	} else if len(f.overrides) > 0 || f.configEnv != "" || f.stack != "" || f.region != "" {
		return usageError("--parameter-overrides, --config-env, --stack-name and --region go with --template")
	}
	return nil
}

// config reads the files that the flags name.
func (f *functionFlags) config(cfg *emulator.Config, stderr io.Writer) error {
	if err := f.readTemplate(cfg); err != nil {
		return err
	}
	for _, text := range f.functions {
		fn, err := parseFunction(text)
		if err != nil {
			return err
		}
		fn.Memory, fn.Timeout, fn.Env = f.memory, f.timeout, map[string]string{}
		cfg.CloudFunctions = append(cfg.CloudFunctions, fn)
	}
	for _, text := range f.env {
		if err := setEnv(cfg.CloudFunctions, text); err != nil {
			return err
		}
	}
	for _, text := range f.containers {
		container, err := parseContainer(text)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(cfg.Containers, func(c emulator.Container) bool { return c.ID == container.ID }) {
			return usageError("--container: %s is given twice", container.ID)
		}
		cfg.Containers = append(cfg.Containers, container)
	}
	cfg.Environ = os.Environ()
	if cache, err := os.UserCacheDir(); err == nil { // otherwise every start links anew
		cfg.Cache = filepath.Join(cache, "regcast", "functions")
	}
	cfg.Debug, cfg.Watch, cfg.StrictAuth, cfg.LazyTTL, cfg.FragmentFrames = f.debug, !f.noWatch, f.strictAuth, f.lazyTTL, f.fragment
	var mu sync.Mutex
	cfg.FunctionLog = func(function, line string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(stderr, "%s | %s\n", function, strings.TrimRight(line, "\n"))
	}
	return nil
}

// parseFunction reads ID=FOLDER:ENTRYPOINT.
func parseFunction(text string) (emulator.CloudFunction, error) {
	id, rest, named := strings.Cut(text, "=")
	colon := strings.LastIndex(rest, ":")
	if !named || id == "" || colon <= 0 || colon == len(rest)-1 {
		return emulator.CloudFunction{}, usageError("--function: got %q, want ID=FOLDER:ENTRYPOINT, as d4emyfunction0000000=./functions/yandex:handler.Broadcast", text)
	}
	return emulator.CloudFunction{ID: id, Package: rest[:colon], Entry: rest[colon+1:]}, nil
}

// parseContainer reads ID=URL.
func parseContainer(text string) (emulator.Container, error) {
	id, address, named := strings.Cut(text, "=")
	u, err := url.Parse(address)
	if !named || id == "" || err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return emulator.Container{}, usageError("--container: got %q, want ID=URL, as bbamycontainer000000=http://127.0.0.1:9000", text)
	}
	return emulator.Container{ID: id, URL: address}, nil
}

// setEnv reads [ID:]NAME=VALUE.
func setEnv(functions []emulator.CloudFunction, text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return usageError("--function-env: got %q, want [ID:]NAME=VALUE", text)
	}
	id, name, one := strings.Cut(name, ":")
	if !one {
		id, name = "", id
	}
	set := false
	for _, fn := range functions {
		if id == "" || fn.ID == id {
			fn.Env[name] = value
			set = true
		}
	}
	switch {
	case !set && id == "":
		return usageError("--function-env: got %q, but there is no --function", text)
	case !set:
		return usageError("--function-env: got %q, but there is no --function %s", text, id)
	}
	return nil
}
