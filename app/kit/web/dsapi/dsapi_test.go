package dsapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web/dsapi"
)

type answer struct {
	Code    int             `json:"code"`
	Msg     string          `json:"msg"`
	Data    json.RawMessage `json:"data"`
	Failed  bool            `json:"failed"`
	Success bool            `json:"success"`
}

func open(next http.Handler) http.Handler { return next }

func refuse(http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
}

func call(t *testing.T, h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func envelope(t *testing.T, w *httptest.ResponseRecorder) answer {
	t.Helper()
	var a answer
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a), w.Body.String())
	return a
}

func serve(mount func(r chi.Router, a *dsapi.API)) http.Handler {
	a := dsapi.New(nil)
	return a.Router(open, func(r chi.Router) { mount(r, a) })
}

func TestBodiesAreReadAsTheOfficialTestSuiteSendsThem(t *testing.T) {
	t.Parallel()
	var got string
	h := serve(func(r chi.Router, a *dsapi.API) {
		f := a.OK(10084, func(_ *http.Request, p *dsapi.Params) (any, error) {
			got = p.Text("schedule")
			return p.Text("userName") + "/" + p.Text("userPassword") + "/" + p.Text("q"), p.Err()
		})
		r.Post("/x", f)
		r.Delete("/x", f)
	})
	raw := `?&loginUser=User(id=1, userName=admin, x=y)&userName=admin&userPassword=100%;a+b%41&schedule={"startTime":"2019-08-08 00:00:00","crontab":"0 0 3/6 * * ? *"}`
	for _, method := range []string{http.MethodPost, http.MethodDelete} {
		w := call(t, h, method, "/x?q=%e4%b8%ad", raw)
		require.Equal(t, `"admin/100%;a bA/中"`, string(envelope(t, w).Data))
		require.JSONEq(t, `{"startTime":"2019-08-08 00:00:00","crontab":"0 0 3/6 * * ? *"}`, got)
	}
}

func TestTheEnvelopeHasExactlyFiveKeysAndNoSpaces(t *testing.T) {
	t.Parallel()
	h := serve(func(r chi.Router, a *dsapi.API) {
		r.Get("/ok", a.OK(10000, func(*http.Request, *dsapi.Params) (any, error) { return nil, nil }))
		r.Post("/made", a.Created(10000, func(*http.Request, *dsapi.Params) (any, error) { return "<a>", nil }))
		r.Get("/bare", a.OK(10000, func(*http.Request, *dsapi.Params) (any, error) { return dsapi.Bare{Value: []int{1}}, nil }))
	})
	w := call(t, h, http.MethodGet, "/ok", "")
	require.Equal(t, `{"code":0,"msg":"success","data":null,"failed":false,"success":true}`, w.Body.String()) //nolint:testifylint // order and spaces count
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	w = call(t, h, http.MethodPost, "/made/", "")
	require.Equal(t, http.StatusCreated, w.Code, "a trailing slash is ignored")
	require.Contains(t, w.Body.String(), `"data":"<a>"`)
	require.Equal(t, `[1]`, call(t, h, http.MethodGet, "/bare", "").Body.String())
}

func TestErrorsHaveTheCodeOfTheirFaultElseOfTheEndpoint(t *testing.T) {
	t.Parallel()
	taken := fault.New(fault.Conflict, "web.method")
	var fields fault.Collector
	fields.Add("code", "web.field.number")
	for name, c := range map[string]struct {
		err  error
		code int
		msg  string
	}{
		"own code": {taken.Because(errors.New("secret")), 10009, "that kind of request"},
		"own field code": {func() error {
			e := fault.New(fault.Invalid, "fault.invalid")
			return e.OnField("code", "web.too_large", "limit", 3)
		}(), 1300016, "at most 3 MB"},
		"forbidden":       {fault.New(fault.Forbidden, "web.cross_origin"), 30001, "another site"},
		"invalid":         {fields.Err(), 10001, "code: Enter a whole number."},
		"other fault":     {fault.New(fault.NotFound, "web.not_found"), 10084, "Tenant not created:There is nothing"},
		"unexpected":      {fmt.Errorf("insert: %w", errors.New("secret")), 10084, "Tenant not created:internal error, request"},
		"missing":         {&dsapi.ParamError{Name: "queueId", Missing: true}, 10084, "Tenant not created:parameter queueId is missing"},
		"unauthenticated": {fault.New(fault.Unauthenticated, "web.form_broken"), -1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := serve(func(r chi.Router, a *dsapi.API) {
				a = a.Faults(dsapi.Faults{taken.Key: 10009, "web.too_large": 1300016})
				r.Post("/x", a.Created(10084, func(*http.Request, *dsapi.Params) (any, error) { return nil, c.err }))
			})
			w := call(t, h, http.MethodPost, "/x", "")
			require.NotContains(t, w.Body.String(), "secret")
			if c.code < 0 {
				require.Equal(t, http.StatusUnauthorized, w.Code)
				require.Empty(t, w.Body.String())
				return
			}
			require.Equal(t, http.StatusOK, w.Code)
			a := envelope(t, w)
			require.Equal(t, c.code, a.Code)
			require.Contains(t, a.Msg, c.msg)
			require.True(t, a.Failed)
			require.Equal(t, "null", string(a.Data))
		})
	}
}

func TestMissingAndWrongParametersGiveTheWrapperCode(t *testing.T) {
	t.Parallel()
	h := serve(func(r chi.Router, a *dsapi.API) {
		r.Get("/x", a.OK(10085, func(_ *http.Request, p *dsapi.Params) (any, error) {
			no, size := p.Paging()
			if err := p.Err(); err != nil {
				return nil, err
			}
			return dsapi.Page([]string{"a"}, 21, no, size), nil
		}))
	})
	for query, code := range map[string]int{"": 10085, "pageNo=x&pageSize=1": 10085, "pageNo=&pageSize=1": 10085, "pageNo=0&pageSize=10": 10001, "pageNo=1&pageSize=-1": 10001, "pageNo=3&pageSize=10": 0} {
		require.Equal(t, code, envelope(t, call(t, h, http.MethodGet, "/x?"+query, "")).Code, query)
	}
	require.JSONEq(t, `{"totalList":["a"],"total":21,"totalPage":3,"pageSize":10,"currentPage":3,"pageNo":20}`,
		string(envelope(t, call(t, h, http.MethodGet, "/x?pageNo=3&pageSize=10", "")).Data))
}

func TestAnEmptyPageIsStillAPage(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(dsapi.Page[string](nil, 0, 1, 10))
	require.NoError(t, err)
	require.JSONEq(t, `{"totalList":[],"total":0,"totalPage":1,"pageSize":10,"currentPage":1,"pageNo":0}`, string(got))
}

func TestValuesConvertLikeInDolphinScheduler(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(i18n.WithZone(t.Context(), time.FixedZone("x", 8*3600)), http.MethodGet,
		"/?flag=on&n=&ids=1,2,,3&at=2030-12-31+08:00:00&kind=END&big=9007199254740993", nil)
	p, err := dsapi.Read(r)
	require.NoError(t, err)
	require.True(t, p.Bool("flag", false))
	require.Equal(t, 7, p.Int("n", 7), "an empty value is the default")
	require.Equal(t, []int64{1, 2, 3}, p.Int64s("ids"))
	require.Equal(t, time.Date(2030, 12, 31, 0, 0, 0, 0, time.UTC), p.Time("at"))
	require.Equal(t, "END", p.Enum("kind", "END", "CONTINUE"))
	require.Equal(t, int64(9007199254740993), p.RequiredInt64("code", "big"))
	require.NoError(t, p.Err())
	p.Enum("kind", "CONTINUE")
	require.ErrorContains(t, p.Err(), "kind")
}

func TestTimesAreWrittenInUTCWithoutAZone(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 10, 18, 18, 0, 0, 123e6, time.FixedZone("x", 8*3600))
	got, err := json.Marshal([]dsapi.Time{dsapi.Time(at), {}})
	require.NoError(t, err)
	require.JSONEq(t, `["2024-10-18 10:00:00",null]`, string(got))
}

func TestOnlyPublicPathsAreServedWithoutSigningIn(t *testing.T) {
	t.Parallel()
	a := dsapi.New(nil)
	h := http.Handler(a.Router(refuse, func(r chi.Router) {
		ok := a.OK(10000, func(*http.Request, *dsapi.Params) (any, error) { return "in", nil })
		r.Post("/login", ok)
		r.Get("/tenants", ok)
		r.Get("/projects/{name}", ok)
	}))
	root := chi.NewRouter()
	root.Mount("/dolphinscheduler", h)
	require.Equal(t, http.StatusOK, call(t, root, http.MethodPost, "/dolphinscheduler/login", "").Code)
	require.Equal(t, http.StatusUnauthorized, call(t, root, http.MethodGet, "/dolphinscheduler/tenants/", "").Code)
	require.Equal(t, http.StatusUnauthorized, call(t, root, http.MethodGet, "/dolphinscheduler/projects/login", "").Code)

	w := call(t, root, http.MethodGet, "/dolphinscheduler/nothing", "", "Accept", "application/json")
	require.Equal(t, http.StatusNotFound, w.Code)
	require.Equal(t, 10000, envelope(t, w).Code)
	require.Equal(t, http.StatusFound, call(t, root, http.MethodGet, "/dolphinscheduler/ui/login", "", "Accept", "text/html").Code)
	require.Equal(t, http.StatusMethodNotAllowed, call(t, root, http.MethodPut, "/dolphinscheduler/tenants", "").Code)
}

func TestPagesOfOtherSitesNeedACredentialOfTheirOwn(t *testing.T) {
	t.Parallel()
	h := serve(func(r chi.Router, a *dsapi.API) {
		r.Post("/x", a.OK(10000, func(*http.Request, *dsapi.Params) (any, error) { return nil, nil }))
	})
	evil := []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}
	require.Equal(t, http.StatusForbidden, call(t, h, http.MethodPost, "/x", "", append(evil, "Cookie", "sessionId=1")...).Code)
	w := call(t, h, http.MethodPost, "/x", "", append(evil, "token", "abc")...)
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
	require.Empty(t, w.Header().Get("Access-Control-Allow-Credentials"), "browsers must keep the cookie to themselves")
	pre := call(t, h, http.MethodOptions, "/x", "", "Origin", "https://ui.example", "Access-Control-Request-Method", "POST")
	require.Equal(t, http.StatusNoContent, pre.Code)
	require.Contains(t, pre.Header().Get("Access-Control-Allow-Headers"), "sessionId")
}

func TestMessagesFollowTheLanguageCookieAndHeader(t *testing.T) {
	t.Parallel()
	h := serve(func(r chi.Router, a *dsapi.API) {
		r.Get("/x", a.OK(10086, func(r *http.Request, p *dsapi.Params) (any, error) {
			p.RequiredText("id")
			return nil, p.Err()
		}))
	})
	require.Contains(t, envelope(t, call(t, h, http.MethodGet, "/x", "", "Accept-Language", "zh")).Msg, "Tenants not listed")
	require.Contains(t, envelope(t, call(t, h, http.MethodGet, "/x", "", "language", "zh_CN")).Msg, "查询租户列表失败")
	require.Contains(t, envelope(t, call(t, h, http.MethodGet, "/x", "", "language", "zh_CN", "Cookie", "language=en_US")).Msg, "Tenants not listed")
}

func TestACallerWhoLeftGetsNoAnswer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := dsapi.New(nil)
	w := httptest.NewRecorder()
	a.OK(10000, func(r *http.Request, _ *dsapi.Params) (any, error) { return nil, r.Context().Err() })(
		w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	require.Empty(t, w.Body.String())
}
