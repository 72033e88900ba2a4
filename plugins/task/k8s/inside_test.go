package k8s

import (
	"bufio"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource/kube"
	"dorado/plugins/task"
)

func TestNamesAreWhatDNSAllows(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Count": "count-7", "a b__c": "a-b-c-7", "数据": "task-7", "": "task-7", "-x-": "x-7", "Łódź 1": "d-1-7",
		strings.Repeat("x", 100):               strings.Repeat("x", 61) + "-7",
		strings.Repeat("x", 60) + "." + "yyyy": strings.Repeat("x", 60) + "-7",
	} {
		got := jobName(task.Env{TaskName: name, TaskInstanceID: 7})
		require.Equal(t, want, got, name)
		require.Regexp(t, nameForm, got)
	}
	require.Equal(t, "a_b-c.d", labelValue(" a 数b-c.d-"))
	require.Empty(t, labelValue("数据"))
	require.Len(t, labelValue(strings.Repeat("x", 99)), 63)
}

func TestAKubeconfigThatNeedsTheMachineIsRefused(t *testing.T) {
	t.Parallel()
	_, err := connect(`{clusters: [{name: c, cluster: {server: "https://h"}}], contexts: [{name: m, context: {cluster: c, user: u}}], users: [{name: u, user: {exec: {command: aws}}}]}`, "lab")
	require.ErrorIs(t, err, kube.ErrConfig)
	require.ErrorContains(t, err, "exec")
}

func TestAKubeconfigSaysWhoWeAre(t *testing.T) {
	t.Parallel()
	const form = `{"clusters":[{"name":"c","cluster":{"server":"https://h:6443/base/","insecure-skip-tls-verify":true,"tls-server-name":"n"}}],"contexts":[{"name":"m","context":{"cluster":"c","user":"u"}}],"users":[{"name":"u","user":{USER}}]}`
	c, err := connect(strings.Replace(form, "USER", `"username":"joe","password":"pw","as":"ann","as-groups":["a","b"]`, 1), "lab")
	require.NoError(t, err)
	require.Equal(t, "Basic am9lOnB3", c.header.Get("Authorization"))
	require.Equal(t, "ann", c.header.Get("Impersonate-User"))
	require.Equal(t, []string{"a", "b"}, c.header.Values("Impersonate-Group"))
	require.Equal(t, "/apis/batch/v1/namespaces/lab/jobs/a", c.jobs("a"))
	c, err = connect(strings.Replace(form, "USER", ``, 1), "lab")
	require.NoError(t, err)
	require.Empty(t, c.header.Get("Authorization"))
}

func TestAnswersThatAreNoneAreErrors(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(nil)
	server.Close()
	c, err := connect(`{clusters: [{name: c, cluster: {server: "`+server.URL+`"}}], contexts: [{name: m, context: {cluster: c}}]}`, "lab")
	require.NoError(t, err)
	_, _, err = list[pod](t.Context(), c, c.pods(), nil)
	require.ErrorContains(t, err, "reach the API server at 127.0.0.1:")
	require.True(t, passing(err))
	require.True(t, passing(&refusal{code: 503}))
	require.False(t, passing(&refusal{code: 422}))
	require.Len(t, (&refusal{code: 422, message: strings.Repeat("é", 2000)}).Error(), len("the API server says 422: ")+1000+len("…"))
	require.EqualError(t, &refusal{code: 502}, "the API server says 502: Bad Gateway")
}

func TestLinesAreReadWhateverTheyHold(t *testing.T) {
	t.Parallel()
	at, text := stamped([]byte("2024-02-29T01:02:03.000000004+08:00 a b"))
	require.Equal(t, 4, at.Nanosecond())
	require.Equal(t, "a b", text)
	at, text = stamped([]byte("rpc error\xff"))
	require.True(t, at.IsZero())
	require.Equal(t, "rpc error\uFFFD", text)
	at, text = stamped([]byte("2024-02-29T01:02:03Z"))
	require.False(t, at.IsZero())
	require.Empty(t, text)

	r := bufio.NewReaderSize(strings.NewReader("a\r\n\n"+strings.Repeat("x", 3<<20)+"\nend"), 64<<10)
	var lengths []int
	for {
		line, err := readLine(r)
		lengths = append(lengths, len(line))
		if err != nil {
			require.Equal(t, "end", string(line))
			break
		}
	}
	require.Equal(t, []int{1, 0, 1 << 20, 1 << 20, 1 << 20, 0, 3}, lengths)
}

func TestAValueOfManyLinesHasAnEnd(t *testing.T) {
	t.Parallel()
	require.Equal(t, 0, still("${setValue(a=b)}", 0))
	require.Equal(t, 1, still("${setValue(a=b)} ${setValue(c=", 0))
	require.Equal(t, 2, still("more", 1))
	require.Equal(t, 0, still("end)}", 2))
	require.Equal(t, 1, still("end)} #{setValue(x", 2))
	require.Equal(t, 0, still("more", openLines))
}
