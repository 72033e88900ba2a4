package dsapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
)

// Code is a number clients know an outcome by.
type Code int

// Codes that every area uses. Others are written as numbers beside the endpoints
// they belong to.
const (
	Success          Code = 0
	Internal         Code = 10000 // anything unexpected
	InvalidParameter Code = 10001
	NoPermission     Code = 30001
	NoProjectAccess  Code = 30002
	NoProjectWrite   Code = 30003
	ProjectMissing   Code = 10018
)

// envelope is the form of every answer. Clients are strict: no other key, and
// data is there even when it is null.
type envelope struct {
	Code    Code   `json:"code"`
	Msg     string `json:"msg"`
	Data    any    `json:"data"`
	Failed  bool   `json:"failed"`
	Success bool   `json:"success"`
}

func send(ctx context.Context, w http.ResponseWriter, status int, code Code, msg string, data any) error {
	return encode(ctx, w, status, envelope{Code: code, Msg: msg, Data: data, Failed: code != Success, Success: code == Success})
}

// encode answers with v. When it cannot be encoded nothing is sent.
func encode(ctx context.Context, w http.ResponseWriter, status int, v any) error {
	enc := json.NewEncoder(&body{w, status, wordingOf(ctx)})
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	return nil
}

// body sends what an encoder writes. An encoder writes a whole value at once, so it needs no copy.
type body struct {
	to      http.ResponseWriter
	status  int
	wording wording
}

// Write sends a whole value. The caller's connection may be gone, which is not the encoder's failure.
func (b *body) Write(value []byte) (int, error) {
	said := b.wording.worded(bytes.TrimRight(value, "\n"))
	b.to.Header().Set("Content-Type", "application/json")
	b.to.Header().Set("Cache-Control", "no-store")
	b.to.Header().Set("Content-Length", strconv.Itoa(len(said)))
	b.to.WriteHeader(b.status)
	_, _ = b.to.Write(said)
	return len(value), nil
}

// text is the sentence for a code in the caller's language.
func text(ctx context.Context, code Code) string {
	key := "dsapi." + strconv.Itoa(int(code))
	if i18n.Has(key) {
		return i18n.T(ctx, key)
	}
	return i18n.T(ctx, "dsapi.10000")
}

// PageInfo is one page of a list.
type PageInfo[T any] struct {
	TotalList   []T   `json:"totalList"`
	Total       int64 `json:"total"`
	TotalPage   int64 `json:"totalPage"`
	PageSize    int   `json:"pageSize"`
	CurrentPage int   `json:"currentPage"`
	PageNo      int   `json:"pageNo"` // the offset of the first row: clients expect it so
}

// Page makes a PageInfo of the rows of page pageNo.
func Page[T any](rows []T, total int64, pageNo, pageSize int) PageInfo[T] {
	if rows == nil {
		rows = []T{}
	}
	pages := (total + int64(pageSize) - 1) / int64(pageSize)
	return PageInfo[T]{
		TotalList: rows, Total: total, TotalPage: max(pages, 1),
		PageSize: pageSize, CurrentPage: pageNo, PageNo: (pageNo - 1) * pageSize,
	}
}

const layout = "2006-01-02 15:04:05"

// Time is an instant as clients read it: yyyy-MM-dd HH:mm:ss in UTC, null when zero.
type Time time.Time

// MarshalJSON writes the instant.
func (t Time) MarshalJSON() ([]byte, error) {
	if time.Time(t).IsZero() {
		return []byte("null"), nil
	}
	return []byte(time.Time(t).UTC().Format(`"` + layout + `"`)), nil
}

// String is the instant as text, empty when zero.
func (t Time) String() string {
	if time.Time(t).IsZero() {
		return ""
	}
	return time.Time(t).UTC().Format(layout)
}

// OrNull is a pointer to v, or null in JSON when v is its zero value.
func OrNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// Listed makes a PageInfo of a page of a list.
func Listed[T, U any](p listing.Page[T], pageNo, pageSize int, row func(T) U) PageInfo[U] {
	rows := make([]U, 0, len(p.Items))
	if p.Number == pageNo || len(p.Items) == 0 { // a page beyond the end is empty here, where pages for people show the last one
		for _, item := range p.Items {
			rows = append(rows, row(item))
		}
	}
	return Page(rows, int64(p.Total), pageNo, pageSize)
}
