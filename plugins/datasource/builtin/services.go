package builtin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dorado/app/kit/dial"
	"dorado/plugins/datasource"
	"dorado/plugins/datasource/kube"
	"dorado/plugins/datasource/remote"
	"dorado/plugins/form"
)

func ssh() datasource.Plugin {
	return datasource.Plugin{
		Type: "SSH", Code: 17, Label: "SSH", Ping: remote.Ping,
		Schema: form.Schema{
			{Name: datasource.Host, Type: form.Text, Label: "datasource.host", Required: true},
			{Name: datasource.Port, Type: form.Number, Label: "datasource.port", Default: 22.0, Required: true, Min: new(1.0), Max: new(65535.0)},
			{Name: datasource.User, Type: form.Text, Label: "datasource.user", Required: true},
			{Name: datasource.Password, Type: form.Secret, Label: "datasource.password"},
			{Name: remote.PrivateKey, Type: form.Secret, Label: "datasource.private_key", Help: "datasource.private_key.help"},
			{Name: remote.HostKey, Type: form.TextArea, Label: "datasource.host_key", Help: "datasource.host_key.help", Advanced: true},
		},
	}
}

func k8s() datasource.Plugin {
	return datasource.Plugin{
		Type: "K8S", Code: 26, Label: "Kubernetes", Ping: pingKubernetes,
		Schema: form.Schema{
			{Name: "kubeConfig", Type: form.Secret, Label: "datasource.kubeconfig", Required: true},
			{Name: "namespace", Type: form.Text, Label: "datasource.namespace", Required: true},
		},
	}
}

// pingKubernetes asks for the version, then for the namespace.
func pingKubernetes(ctx context.Context, s datasource.Settings) error {
	c, err := kube.New(s.All["kubeConfig"])
	if err != nil {
		return datasource.At(datasource.Unfit, err)
	}
	defer c.Close()
	// Whoever may not even ask for the version may still have rights in the namespace.
	if _, err := c.Version(ctx); err != nil && kube.Status(err) != http.StatusForbidden {
		return kubeStep(err)
	}
	return kubeStep(c.Namespace(ctx, s.All["namespace"]))
}

func kubeStep(err error) error {
	switch kube.Status(err) {
	case 0: // the network, or TLS
		return err
	case http.StatusUnauthorized:
		return datasource.At(datasource.SignIn, err)
	case http.StatusNotFound:
		return datasource.At(datasource.Missing, err)
	}
	return datasource.At(datasource.Ask, err)
}

func zeppelin() datasource.Plugin {
	return datasource.Plugin{
		Type: "ZEPPELIN", Code: 24, Label: "Zeppelin", Ping: pingZeppelin,
		Schema: form.Schema{
			{Name: "restEndpoint", Type: form.Text, Label: "datasource.endpoint", Required: true},
			{Name: datasource.User, Type: form.Text, Label: "datasource.user", Required: true},
			{Name: datasource.Password, Type: form.Secret, Label: "datasource.password"},
		},
	}
}

// pingZeppelin asks for the version, which needs no sign-in, and signs in when there is a password.
func pingZeppelin(ctx context.Context, s datasource.Settings) error {
	base, err := url.Parse(s.All["restEndpoint"])
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil || base.RawQuery != "" {
		return datasource.At(datasource.Unfit, errors.New("the endpoint is no address like http://host:8080"))
	}
	transport := &http.Transport{DialContext: dial.New(4 * time.Second).DialContext, TLSHandshakeTimeout: 4 * time.Second}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(method, path, body string) error {
		req, err := http.NewRequestWithContext(ctx, method, base.JoinPath(path).String(), strings.NewReader(body))
		if err != nil {
			return datasource.At(datasource.Unfit, errors.New("the endpoint is no address"))
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		var answer struct {
			Status string `json:"status"`
		}
		err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer)
		switch {
		case resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusUnauthorized:
			return datasource.At(datasource.SignIn, fmt.Errorf("the server answers %s", resp.Status))
		case resp.StatusCode != http.StatusOK:
			return datasource.At(datasource.Ask, fmt.Errorf("the server answers %s", resp.Status))
		case err != nil || answer.Status != "OK":
			return datasource.At(datasource.Ask, errors.New("the server does not answer as Zeppelin does"))
		}
		return nil
	}
	if err := ask(http.MethodGet, "api/version", ""); err != nil || s.Password == "" {
		return err
	}
	return ask(http.MethodPost, "api/login", url.Values{"userName": {s.User}, "password": {s.Password.Reveal()}}.Encode())
}

func sageMaker() datasource.Plugin {
	return datasource.Plugin{
		Type: "SAGEMAKER", Code: 25, Label: "SageMaker", Missing: "datasource.missing.aws",
		Schema: form.Schema{
			{Name: datasource.User, Type: form.Text, Label: "datasource.access_key", Required: true},
			{Name: datasource.Password, Type: form.Secret, Label: "datasource.access_secret", Required: true},
			{Name: "awsRegion", Type: form.Text, Label: "datasource.aws_region", Required: true},
		},
	}
}

func aliyunSpark() datasource.Plugin {
	return datasource.Plugin{
		Type: "ALIYUN_SERVERLESS_SPARK", Code: 27, Label: "Aliyun Serverless Spark", Missing: "datasource.missing.aliyun",
		Schema: form.Schema{
			{Name: "accessKeyId", Type: form.Text, Label: "datasource.access_key", Required: true},
			{Name: "accessKeySecret", Type: form.Secret, Label: "datasource.access_secret"},
			{Name: "regionId", Type: form.Text, Label: "datasource.region", Required: true},
			{Name: "endpoint", Type: form.Text, Label: "datasource.endpoint"},
		},
	}
}
