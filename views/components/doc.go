// Package components holds the parts pages are made of. Each takes a Props struct
// with finished text (already through i18n.T) and finished addresses; none knows a
// module, a rule or a database. No part uses inline styles or scripts.
//
// # A list page
//
//	@templ.Fragment("list") {
//		<div id="list">
//			@components.FilterForm(components.FilterProps{Action: p.URL, Target: "list", Query: p.Query, Value: p.Search})
//			@components.Chips(components.ChipsProps{Chips: p.Chips, ClearURL: p.URL, Target: "list"})
//			<div class="card">
//				@components.Table(components.TableProps{Caption: ..., Columns: p.Columns, Target: "list"}) {
//					for _, r := range p.Rows {
//						<tr>
//							<td><div class="two"><a class="name" href={ r.URL }>{ r.Name }</a><small>{ r.Description }</small></div></td>
//							<td class="r num">{ r.Count }</td>
//							<td>@components.RowActions() { ... }</td>
//						</tr>
//					}
//				}
//				@components.Pager(components.PagerProps{Path: p.URL, Query: p.Query, Page: p.Page, Size: p.Size, Total: p.Total, Target: "list"})
//			</div>
//		</div>
//	}
//
// Target is the id of the element (and the name of the templ.Fragment) that htmx
// replaces. The swap is outerMorph, so the fragment contains the element with that
// id; leave it empty for plain links. Query parameters are page, size and
// whatever the filters are called; the search box is called q unless Name says
// otherwise.
//
// # A form, in a dialog and as a page
//
// A link or button with Dialog: true loads its URL into the page's dialog. The
// page behind that URL is one FormPage: htmx gets its fragment, a browser without
// scripts gets the page.
//
//	@components.FormPage(components.FormProps{Title: ..., Action: p.Action, Submit: ..., CancelURL: p.ListURL, Error: p.Error}) {
//		@components.TextInput(components.FieldProps{Name: "code", Label: ..., Value: p.Code, Error: p.Errors["code"], Required: true})
//		@components.Select(components.FieldProps{Name: "queue_id", Label: ..., Value: p.Queue, Options: p.Queues})
//	}
//
// The fragments are called "dialog" (in the dialog) and "form-body" (on the
// page). An invalid form answers 422 with the same fragment; success answers with
// HX-Redirect, HX-Location or HX-Refresh (a 303 without htmx).
//
// The HX-Trigger events that scripts understand: toast {"messages": [...], "kind":
// "success"}, sign-in {"url": ...} and close-dialog.
//
// # States
//
// StatusText("FAILURE") in tables, StatusBadge("FAILURE") in page heads. States
// are the stored names; the words come from the catalogue keys "state.<NAME>".
//
// # Columns on narrow screens
//
// Column.Drop (and the classes drop-1 to drop-3 on the cells) says when a column
// goes: 3 below 1100 px, 2 below 900 px, 1 below 560 px.
package components
