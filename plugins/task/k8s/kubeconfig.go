package k8s

import (
	"net"
	"net/http"
	"time"

	"dorado/app/kit/dial"
	"dorado/plugins/datasource/kube"
)

// connect makes a client of a kubeconfig. Errors name what is wrong and quote no secret.
func connect(text, namespace string) (*client, error) {
	a, err := kube.Read(text)
	if err != nil {
		return nil, err
	}
	dialer := dial.New(10 * time.Second)
	dialer.KeepAliveConfig = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 3}
	return &client{base: a.Base, namespace: namespace, header: a.Header, http: &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: a.TLS, TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true,
			// A watch may be silent for minutes. Whether the other side is still there, these ask.
			HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
		},
		// Whoever answers with another address would get the credentials.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}
