package httptask_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	httptask "dorado/plugins/task/http"
	"dorado/plugins/task/tasktest"
)

// quoted is s as JSON.
func quoted(s string) string {
	raw, _ := json.Marshal(s)
	return string(raw)
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s [%s] %s %s", r.Method, r.URL.RawQuery, r.Header.Get("Content-Type"), r.Header.Get("X-Trace"), body)
	})
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		var code int
		_, _ = fmt.Sscan(r.PathValue("code"), &code)
		w.WriteHeader(code)
		fmt.Fprint(w, "code ", code)
	})
	mux.HandleFunc("/empty", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	at := func(path, more string) string { return `{"url":` + quoted(server.URL+path) + more + `}` }

	tasktest.Run(t, tasktest.Suite{
		Plugin: httptask.Plugin(),
		Cases: []tasktest.Case{
			{Name: "asks with GET", Params: at("/echo?a=1", ``), Output: "GET a=1 []"},
			{
				Name: "adds parameters of the query", Output: "GET a=1&b=x%26+y&b=%E4%BD%A0 []",
				Params: at("/echo?a=1", `,"httpParams":[{"prop":"b","httpParametersType":"PARAMETER","value":"x& y"},{"prop":"b","httpParametersType":"PARAMETER","value":"你"}]`),
			},
			{
				Name: "escapes what parameters put into the address", Params: at("/echo?q=a b\"你", ``), Output: "GET q=a%20b%22%E4%BD%A0 []",
			},
			{
				Name: "sends a body as it is", Output: `POST  [application/json]  [1, {"a": null}]`,
				Params: at("/echo", `,"httpMethod":"POST","httpBody":"[1, {\"a\": null}]"`),
			},
			{
				Name: "sends a body of another type", Output: `PUT  [text/xml] t1 <a/>`,
				Params: at("/echo", `,"httpMethod":"PUT","httpBody":"<a/>","httpParams":[{"prop":"content-type","httpParametersType":"HEADERS","value":"text/xml"},{"prop":"X-Trace","httpParametersType":"HEADERS","value":"t1"}]`),
			},
			{
				Name: "makes a form of an object", Output: `PATCH  [application/x-www-form-urlencoded]  a=1&b=x+y`,
				Params: at("/echo", `,"httpMethod":"PATCH","httpBody":"{\"b\":\"x y\",\"a\":1}","httpParams":[{"prop":"Content-Type","httpParametersType":"HEADERS","value":"application/x-www-form-urlencoded"}]`),
			},
			{
				Name: "leaves a form alone that is one", Output: `x-www-form-urlencoded]  z=1&b=2`,
				Params: at("/echo", `,"httpMethod":"POST","httpBody":"z=1&b=2","httpParams":[{"prop":"Content-Type","httpParametersType":"HEADERS","value":"application/x-www-form-urlencoded"}]`),
			},
			{
				Name: "makes a body of rows, as version 2 had them", Output: `POST q=1 [application/json]  {"a":"1","b":"<x>"}`,
				Params: at("/echo", `,"httpMethod":"POST","httpParams":[{"prop":"b","httpParametersType":"BODY","value":"<x>"},{"prop":"a","httpParametersType":"BODY","value":1},{"prop":"q","httpParametersType":"PARAMETER","value":"1"}]`),
			},
			{
				Name: "prefers a body to rows", Output: "rows of type BODY are left out",
				Params: at("/echo", `,"httpMethod":"POST","httpBody":"x","httpParams":[{"prop":"b","httpParametersType":"BODY","value":"1"}]`),
			},
			{Name: "sends no body with DELETE", Params: at("/echo", `,"httpMethod":"DELETE","httpBody":"{}"`), Output: "DELETE  []"},
			{Name: "asks for the head alone", Params: at("/echo", `,"httpMethod":"HEAD"`), Output: "HTTP/1.1 200 OK after"},
			{Name: "takes 200 alone for a success", Params: at("/status/204", ``), Output: "204 No Content", Fails: true},
			{Name: "takes another status for one when told so", Params: at("/status/404", `,"httpCheckCondition":"STATUS_CODE_CUSTOM","condition":404`), Output: "code 404"},
			{Name: "takes ranges of them", Params: at("/status/207", `,"httpCheckCondition":"STATUS_CODE_CUSTOM","condition":"200-204, 206-299"`), Output: "code 207"},
			{Name: "fails when the status is another", Params: at("/status/205", `,"httpCheckCondition":"STATUS_CODE_CUSTOM","condition":"200-204, 206-299"`), Fails: true},
			{Name: "looks for a text whatever the status", Params: at("/status/500", `,"httpCheckCondition":"BODY_CONTAINS","condition":"ode 5"`), Output: "code 500"},
			{Name: "fails without the text", Params: at("/status/200", `,"httpCheckCondition":"BODY_CONTAINS","condition":"nope"`), Fails: true},
			{Name: "is glad that a text is missing", Params: at("/status/200", `,"httpCheckCondition":"BODY_NOT_CONTAINS","condition":"nope"`)},
			{Name: "fails with the text", Params: at("/status/200", `,"httpCheckCondition":"BODY_NOT_CONTAINS","condition":"code"`), Fails: true},
			{Name: "fails when there is no body at all", Params: at("/empty", `,"httpCheckCondition":"BODY_NOT_CONTAINS","condition":"code"`), Fails: true},
			{Name: "gives up when nothing comes", Params: at("/slow", `,"socketTimeout":50`), Output: "said nothing for longer than socketTimeout", Fails: true},
			{Name: "fails when nobody is there", Params: `{"url":"http://127.0.0.1:1/?token=hunter2"}`, Output: "/?token=*** failed after", Fails: true},
			{Name: "does not ask for credentials of the cloud", Params: `{"url":"http://169.254.169.254/latest/meta-data/"}`, Output: "not allowed", Fails: true},
		},
		Bad: []string{
			`{"url":"ftp://x/"}`, `{"url":"/path"}`, `{"url":"http://"}`, `{"url":"http://a b/"}`, `{"url":"http://h/%zz"}`, `{"url":"http://x/","httpMethod":"TRACE"}`,
			`{"url":"http://x/","httpParams":[{"prop":"","httpParametersType":"PARAMETER","value":"1"}]}`,
			`{"url":"http://x/","httpParams":[{"prop":"a b","httpParametersType":"HEADERS","value":"1"}]}`,
			`{"url":"http://x/","httpParams":[{"prop":"a","httpParametersType":"COOKIE","value":"1"}]}`, `{"url":"http://x/","httpParams":{}}`,
			`{"url":"http://x/","httpCheckCondition":"STATUS_CODE_CUSTOM"}`, `{"url":"http://x/","httpCheckCondition":"STATUS_CODE_CUSTOM","condition":"ok"}`,
			`{"url":"http://x/","httpCheckCondition":"STATUS_CODE_CUSTOM","condition":"299-200"}`, `{"url":"http://x/","httpCheckCondition":"BODY_CONTAINS","condition":""}`,
			`{"url":"http://x/","connectTimeout":0}`, `{"url":"http://x/","socketTimeout":-1}`, `{"url":"http://x/","caCertificate":"x"}`, `{"url":"http://x/","proxy":"x"}`,
			`{"url":"http://x/","localParams":[{"prop":"a","direct":"OUT","type":"VARCHAR","value":"$.a["}]}`,
			`{"url":"http://x/","localParams":[{"prop":"a","direct":"OUT","type":"VARCHAR","value":"$..a..b"}]}`,
		},
		Slow: at("/slow", ``),
	})
}
