package calendar

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/a-h/templ"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/frame"
	"dorado/modules/security/crud"
	"dorado/views/components"
	view "dorado/views/crud"
	"dorado/views/security"
)

type pages struct {
	crud.Pages[Calendar, Draft]
	svc    *Service
	access *access.Service
	frame  *frame.Frame
}

func newPages(s *Service, a *access.Service, f *frame.Frame) *pages {
	p := &pages{svc: s, access: a, frame: f}
	p.Pages = crud.Pages[Calendar, Draft]{
		Path: Path, Keys: "calendar.", Test: "calendar", Icon: "cal", Spec: Spec(), Keeper: &s.Keeper, Shell: f.Page,
		Columns: []crud.Column{{Key: "name"}, {Key: "weekend", Drop: 1}, {Key: "holidays", Right: true}, {Key: "make_ups", Right: true}},
		Cells: func(ctx context.Context, c Calendar) []view.Cell {
			return []view.Cell{
				{Text: c.Name, Note: c.Description, URL: p.Address(c.ID, "")},
				{Text: weekendWords(ctx, c.Weekend)},
				{Text: i18n.Number(ctx, int64(c.Holidays))},
				{Text: i18n.Number(ctx, int64(c.MakeUps))},
			}
		},
		Draft: func(c Calendar) Draft { return Draft{Name: c.Name, Description: c.Description, Weekend: c.Weekend} },
		Read: func(f *web.Form) Draft {
			d := Draft{Name: f.Text("name"), Description: f.Text("description")}
			for i, day := range f.List("weekend") {
				if i > 0 {
					d.Weekend += ","
				}
				d.Weekend += day
			}
			return d
		},
		Form: form,
	}
	return p
}

func form(ctx context.Context, p view.Form, d Draft, f *web.Form) (templ.Component, error) {
	if p.New && f == nil {
		d.Weekend = "SAT,SUN"
	}
	v := security.CalendarForm{Form: p, Name: d.Name, Description: d.Description}
	weekend, _ := ParseWeekend(d.Weekend)
	for _, day := range Week() {
		name := WeekdayName(day)
		v.Week = append(v.Week, components.Option{Value: name, Label: i18n.T(ctx, "calendar.day."+name)})
		if weekend[day] {
			v.Weekend = append(v.Weekend, name)
		}
	}
	return security.CalendarEdit(v), nil
}

func weekendWords(ctx context.Context, text string) string {
	weekend, _ := ParseWeekend(text)
	words := ""
	for _, day := range Week() {
		if weekend[day] {
			if words != "" {
				words += " · "
			}
			words += i18n.T(ctx, "calendar.day."+WeekdayName(day))
		}
	}
	return words
}

// show is the page of one calendar: a year, and the days in it that differ.
func (p *pages) show(r *http.Request) (web.Response, error) { return p.page(r, nil) }

func (p *pages) page(r *http.Request, f *web.Form) (web.Response, error) {
	ctx := r.Context()
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	c, entries, err := p.svc.Entries(ctx, id)
	if err != nil {
		return nil, err
	}
	today := DateOf(p.svc.Now().In(i18n.Zone(ctx)))
	year, err := strconv.Atoi(r.URL.Query().Get("year"))
	if err != nil || year < 1 || year > 9998 {
		year = today.Year
	}
	weekend, _ := ParseWeekend(c.Weekend)
	v := security.CalendarPage{
		Shell: p.frame.Page(r, c.Name, components.Crumb{Label: i18n.T(ctx, "calendar.title"), URL: Path}), Name: c.Name, Description: c.Description,
		Weekend: weekendWords(ctx, c.Weekend), Year: strconv.Itoa(year), Total: len(entries),
		PreviousURL: p.yearURL(id, year-1), NextURL: p.yearURL(id, year+1), ExportURL: p.Address(id, "/days.txt"),
		Months: months(ctx, year, today, NewDays(weekend, entries)), Errors: f.Errors(), Error: f.Notice(),
	}
	for _, day := range Week() {
		v.Week = append(v.Week, i18n.T(ctx, "calendar.day_short."+WeekdayName(day)))
	}
	if p.access.Can(ctx, Manage) {
		v.EditURL, v.DeleteURL = p.Address(id, "/edit"), p.Address(id, "/delete")
		v.ToggleURL, v.PutURL = p.Address(id, "/toggle?year="+v.Year), p.Address(id, "/days?year="+v.Year)
	}
	if f != nil {
		v.Text, v.Replace = f.Raw("days"), f.Bool("replace")
	}
	for _, e := range entries {
		if e.Date.Year != year {
			continue
		}
		row := security.CalendarEntry{
			Day: e.Date.String(), Weekday: i18n.T(ctx, "calendar.day."+WeekdayName(e.Date.Weekday())), Work: e.Kind == MakeUp, Note: e.Note,
		}
		if v.EditURL != "" {
			row.RemoveURL = p.Address(id, "/days/delete?year="+v.Year)
		}
		v.Entries = append(v.Entries, row)
	}
	return f.Again(security.CalendarShow(v)), nil
}

func (p *pages) yearURL(id int64, year int) string {
	return p.Address(id, "?year="+strconv.Itoa(year))
}

// months are the days of a year as twelve sheets whose weeks begin on Monday.
func months(ctx context.Context, year int, today Date, days *Days) []security.CalendarMonth {
	out := make([]security.CalendarMonth, 0, 12)
	for m := time.January; m <= time.December; m++ {
		first := Date{year, m, 1}
		month := security.CalendarMonth{
			Name: i18n.T(ctx, "calendar.month."+strconv.Itoa(int(m))), Blank: (int(first.Weekday()) + 6) % 7,
		}
		for day := first; day.Month == m; day = day.Add(1) {
			e, differs := days.Entry(day)
			kind, state := "work", "calendar.state.work"
			switch {
			case differs && e.Kind == MakeUp:
				kind, state = "makeup", "calendar.state.makeup"
			case differs:
				kind, state = "holiday", "calendar.state.holiday"
			case days.Free(day):
				kind, state = "weekend", "calendar.state.weekend"
			}
			label := day.String() + " " + i18n.T(ctx, "calendar.day."+WeekdayName(day.Weekday())) + ": " + i18n.T(ctx, state)
			if e.Note != "" {
				label += " (" + e.Note + ")"
			}
			month.Days = append(month.Days, security.CalendarDay{
				Day: day.String(), Number: strconv.Itoa(day.Day), Kind: kind, Label: label, Today: day == today,
			})
		}
		out = append(out, month)
	}
	return out
}

// put adds days out of a text.
func (p *pages) put(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	if err := p.access.Require(ctx, Manage); err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	n, err := web.Submit(f, func() (int, error) { return p.svc.Put(ctx, id, f.Raw("days"), f.Bool("replace")) })
	if errors.Is(err, ErrLine) {
		err = lineFault(ctx, err)
	}
	if f.Rejects(err) {
		return p.page(r, f)
	}
	if err != nil {
		return nil, err
	}
	return p.back(r, id).Toast("calendar.days_saved", "count", n), nil
}

// lineFault writes the reason, which is a message of its own, in the reader's language.
func lineFault(ctx context.Context, err error) error {
	line, ok := errors.AsType[*LineError](err)
	if !ok {
		return err
	}
	return ErrLine.OnField("days", ErrLine.Key, "line", line.Line, "text", line.Text, "reason", i18n.T(ctx, line.Reason, "max", maxRange))
}

func (p *pages) toggle(r *http.Request) (web.Response, error) { return p.one(r, p.svc.Toggle) }
func (p *pages) removeDay(r *http.Request) (web.Response, error) {
	return p.one(r, p.svc.Remove)
}

// one changes the day that was sent.
func (p *pages) one(r *http.Request, change func(ctx context.Context, id int64, day Date) error) (web.Response, error) {
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	if err := p.access.Require(r.Context(), Manage); err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	day, ok := ParseDate(f.Text("day"))
	if !ok {
		return nil, ErrDate
	}
	if err := change(r.Context(), id, day); err != nil {
		return nil, err
	}
	return p.back(r, id), nil
}

// back is the year that was shown.
func (p *pages) back(r *http.Request, id int64) *web.RedirectResponse {
	to := p.Address(id, "")
	if year, err := strconv.Atoi(r.URL.Query().Get("year")); err == nil {
		to = p.yearURL(id, year)
	}
	return web.Redirect(to).Into("calendar")
}

func (p *pages) export(r *http.Request) (web.Response, error) {
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	c, entries, err := p.svc.Entries(r.Context(), id)
	if err != nil {
		return nil, err
	}
	return web.Download(c.Name+".txt", func(w io.Writer) error {
		_, err := io.WriteString(w, Format(entries))
		return err
	}), nil
}
