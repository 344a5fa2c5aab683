package yc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	functionsv1 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/functions/v1"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
)

const functionService = "yandex.cloud.serverless.functions.v1.FunctionService"

func functions() resource {
	return resource{
		noun: "function", service: functionService, id: "function_id",
		columns: append(folderColumns(), column{title: "STATUS", path: "status"}),
	}
}

func versions() resource {
	return resource{
		noun: "function version", service: functionService, version: "Version", id: "function_version_id", unnamed: true, parent: "-",
		columns: []column{
			{title: "ID", path: "id"}, {title: "FUNCTION ID", path: "function_id"}, {title: "RUNTIME", path: "runtime"},
			{title: "ENTRYPOINT", path: "entrypoint"}, {title: "TAGS", path: "tags"}, {title: "CREATED AT", path: "created_at"},
		},
	}
}

func (s *session) function() *cobra.Command {
	r := functions()
	c := group("function", "Manage functions",
		s.create(r.method("Create"), action{use: "create", short: "Create a function", fields: describedFields()}),
		s.update(r, action{use: "update", short: "Update a function",
			fields: append([]field{{flag: "new-name", path: "name", use: "new name"}}, describedFields()...)}),
		s.list(r), s.get(r), s.remove(r), s.listOperations(r), s.versionGroup(), s.runtimeGroup(), s.invoke(r), s.logs(r))
	c.AddCommand(s.labels(r)...)
	c.AddCommand(s.bindings(r)...)
	c.AddCommand(s.unauthenticated(r, "functions.functionInvoker")...)
	c.Aliases = []string{"fn"}
	return c
}

// ofFunction says whose version is meant.
func ofFunction() field {
	return field{flag: "function-id", path: "function_id", use: "function", of: functions}
}

func (s *session) versionGroup() *cobra.Command {
	r := versions()
	tag := field{flag: "tag", path: "tag", use: "tag"}
	byTag := s.create(functionService+".GetVersionByTag", action{
		use: "get-by-tag", short: "Show the version that has a tag", fields: []field{ofFunction(), tag},
		ready: func(_ context.Context, _ *cobra.Command, req protoreflect.Message, _ []string) ([]string, error) {
			if getString(req, "tag") == "" {
				setString(req, "tag", "$latest")
			}
			return nil, nil
		},
	})
	return group("version", "Manage versions of functions",
		s.createVersion(), s.list(r, ofFunction()), s.get(r), s.remove(r), byTag,
		s.act(r, "set-tag", "SetTag", "Give a version a tag", action{fields: []field{tag}}),
		s.act(r, "remove-tag", "RemoveTag", "Take a tag from a version", action{fields: []field{tag}}))
}

func (s *session) runtimeGroup() *cobra.Command {
	return group("runtime", "Look at runtimes", s.create(functionService+".ListRuntimes", action{use: "list", short: "List runtimes"}))
}

func (s *session) createVersion() *cobra.Command {
	c := s.create(functionService+".CreateVersion", action{
		use: "create", short: "Create a version of a function from source",
		fields: append([]field{
			ofFunction(),
			{flag: "runtime", path: "runtime", use: "runtime, such as golang123"},
			{flag: "entrypoint", path: "entrypoint", use: "entry point, <file without .go>.<function>"},
			{flag: "memory", path: "resources.memory", use: "memory (default 128MB)", kind: size},
			{flag: "execution-timeout", path: "execution_timeout", use: "time limit of a call (default 3s)"},
			{flag: "service-account-id", path: "service_account_id", use: "service account that it runs as", of: serviceAccounts},
			{flag: "description", path: "description", use: "description"},
			{flag: "environment", path: "environment", use: "environment variables"},
			{flag: "tags", path: "tag", use: "tags"},
			{flag: "concurrency", path: "concurrency", use: "calls that an instance takes at a time"},
			{flag: "tmpfs-size", path: "tmpfs_size", use: "size of /tmp in memory", kind: size},
			{flag: "source-version-id", path: "version_id", use: "version whose code it takes"},
			{flag: "package-bucket-name", path: "package.bucket_name", use: "bucket with its zip"},
			{flag: "package-object-name", path: "package.object_name", use: "object in it"},
			{flag: "package-sha256", path: "package.sha256", use: "SHA-256 of the zip"},
		}, logFields()...),
		ready: func(_ context.Context, c *cobra.Command, m protoreflect.Message, _ []string) ([]string, error) {
			req := m.Interface().(*functionsv1.CreateFunctionVersionRequest)
			if req.GetResources().GetMemory() == 0 {
				req.Resources = &functionsv1.Resources{Memory: 128 << 20}
			}
			if req.ExecutionTimeout == nil {
				req.ExecutionTimeout = durationpb.New(defaultTimeout)
			}
			source, err := c.Flags().GetString("source-path")
			if err != nil || source == "" {
				return nil, err
			}
			if req.PackageSource != nil {
				return nil, errors.New("--source-path: the code is given twice")
			}
			content, err := pack(source)
			if err != nil {
				return nil, fmt.Errorf("--source-path: %w", err)
			}
			req.PackageSource = &functionsv1.CreateFunctionVersionRequest_Content{Content: content}
			return nil, nil
		},
	})
	c.Flags().String("source-path", "", "`FOLDER` with the source, or a file: a zip of it")
	return c
}

func (s *session) invoke(r resource) *cobra.Command {
	c := &cobra.Command{Use: "invoke " + r.argumentUse(), Short: "Call a function", Args: cobra.MaximumNArgs(1)}
	var t target
	targetFlags(c, r, &t)
	f := c.Flags()
	tag := f.String("tag", "", "tag of the version (default $latest)")
	data := f.StringP("data", "d", "", "what it is called with")
	name := f.String("data-file", "", "`FILE` with what it is called with")
	stdin := f.Bool("data-stdin", false, "it is called with what stdin has")
	c.MarkFlagsMutuallyExclusive("data", "data-file", "data-stdin")
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx := c.Context()
		ids, err := s.pick(ctx, r, t, args)
		if err != nil {
			return err
		}
		body := []byte(*data)
		if *name != "" {
			if body, err = os.ReadFile(*name); err != nil {
				return fmt.Errorf("--data-file: %w", err)
			}
		}
		if *stdin {
			if body, err = io.ReadAll(s.Stdin); err != nil {
				return fmt.Errorf("--data-stdin: %w", err)
			}
		}
		got, err := s.call(ctx, r.method("Get"), &functionsv1.GetFunctionRequest{FunctionId: ids[0]})
		if err != nil {
			return err
		}
		answer, err := s.post(ctx, got.(*functionsv1.Function).GetHttpInvokeUrl(), *tag, body)
		if err != nil {
			return fmt.Errorf("invoke %s: %w", ids[0], err)
		}
		_, err = fmt.Fprintln(s.Stdout, strings.TrimSuffix(string(answer), "\n"))
		return err
	}
	return c
}

// post calls a function by its URL; what it answers comes as it is.
func (s *session) post(ctx context.Context, address, tag string, body []byte) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("its URL is %q", address)
	}
	q := u.Query()
	q.Set("integration", "raw")
	if tag != "" {
		q.Set("tag", tag)
	}
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	token, err := s.iamToken(ctx)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	config, err := s.tlsConfig()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, answerMaximum))
	if err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	if res.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s\n%s", res.Status, bytes.TrimSpace(answer))
	}
	return answer, nil
}
