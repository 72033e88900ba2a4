// Package dsapi speaks the REST dialect of Apache DolphinScheduler, so that its
// clients work unchanged: the envelope with a numeric code, errors in HTTP 200,
// pages with a row offset called pageNo, form bodies that are not encoded
// properly, dates without a zone in UTC.
//
// A module writes its endpoints in api.go as functions of the request and its
// parameters, and says once which code each of its faults has:
//
//	func (m *Module) API(r chi.Router) {
//		e := m.rest.Faults(dsapi.Faults{ErrCodeTaken.Key: 10009, ErrNotFound.Key: 10017})
//		r.Post("/tenants", e.Created(10084, m.apiCreate))
//		r.Get("/tenants", e.OK(10085, m.apiPage))
//	}
//
//	func (m *Module) apiCreate(r *http.Request, p *dsapi.Params) (any, error) {
//		d := Draft{Code: p.RequiredText("tenantCode"), QueueID: p.RequiredInt64("queueId"), Description: p.Text("description")}
//		if err := p.Err(); err != nil {
//			return nil, err
//		}
//		t, err := m.svc.Create(r.Context(), d)
//		if err != nil {
//			return nil, err
//		}
//		return toDS(t), nil
//	}
//
// The number given to OK and Created is the endpoint's wrapper code: what a client
// gets for a missing parameter and for every failure that has no code of its own.
// Its text is the message "dsapi.<code>".
//
// Endpoints call the same services as pages and have no rule of their own.
package dsapi
